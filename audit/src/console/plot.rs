//! A plot of requests over time, as a picture and as a table.

use maud::{Markup, html};

/// One bar: what it is called, and how much of each.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) signed: u64,
    pub(super) denied: u64,
}

const WIDTH: u64 = 960;
const HEIGHT: u64 = 180;

/// Bars side by side; `what` says to who cannot see them what they show.
pub(super) fn bars(what: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|b| b.signed.saturating_add(b.denied)).max().unwrap_or(0).max(1);
    let count = u64::try_from(bars.len()).unwrap_or(1).max(1);
    let high = |n: u64| n.saturating_mul(HEIGHT).checked_div(most).unwrap_or(0).max(u64::from(n > 0).saturating_mul(2));
    let wide = WIDTH.checked_div(count).unwrap_or(1).max(1);
    html! {
        figure {
            svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT.saturating_add(4)) } role="img" aria-label=(what) preserveAspectRatio="none" {
                @for (place, bar) in (0_u64..).zip(bars) {
                    @let (signed, denied) = (high(bar.signed), high(bar.denied));
                    @let x = place.saturating_mul(wide);
                    @let top = HEIGHT.saturating_sub(signed);
                    g {
                        title { (bar.name) ": " (bar.signed) " signed, " (bar.denied) " refused" }
                        rect.signed x=(x) y=(top) width=(wide.saturating_sub(1).max(1)) height=(signed) {}
                        rect.denied x=(x) y=(top.saturating_sub(denied)) width=(wide.saturating_sub(1).max(1)) height=(denied) {}
                    }
                }
                line.axis x1="0" y1=(HEIGHT) x2=(WIDTH) y2=(HEIGHT) {}
            }
            figcaption {
                span.key-signed { "signed" } " " span.key-denied { "refused" } " · the highest bar is " (most) " · "
                (bars.first().map_or("", |b| b.name.as_str())) " to " (bars.last().map_or("", |b| b.name.as_str())) " UTC"
            }
            details {
                summary { "The same as a table" }
                table {
                    caption { (what) }
                    thead { tr { th scope="col" { "time" } th scope="col" { "signed" } th scope="col" { "refused" } } }
                    tbody {
                        @for bar in bars.iter().filter(|b| b.signed > 0 || b.denied > 0) {
                            tr { th scope="row" { (bar.name) } td.number { (bar.signed) } td.number { (bar.denied) } }
                        }
                    }
                }
            }
        }
    }
}
