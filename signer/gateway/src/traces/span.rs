//! The spans of one request.

use crate::link::LinkError;
use chancery_channel::{Answer, RefusalKind, SignRequest};
use opentelemetry::trace::{Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use std::time::SystemTime;

/// A request that is traced, or not. Dropped without an answer, its client went away.
#[derive(Debug, Default)]
pub struct Traced(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    tracer: SdkTracer,
    span: Span,
    begun: SystemTime,
    asked: Option<SystemTime>,
}

impl Traced {
    pub(super) fn begin(tracer: &SdkTracer, method: &'static str, parent: Option<&SpanContext>) -> Self {
        let begun = SystemTime::now();
        let above = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent.clone()));
        let service = [KeyValue::new("rpc.system", "grpc"), KeyValue::new("rpc.service", "chancery.v1.SigningService")];
        let span = tracer
            .span_builder("request")
            .with_kind(SpanKind::Server)
            .with_start_time(begun)
            .with_attributes(service.into_iter().chain([KeyValue::new("rpc.method", method)]))
            .start_with_context(tracer, &above);
        // What the client does not want sampled costs nothing more.
        Self(span.is_recording().then(|| Box::new(Open { tracer: tracer.clone(), span, begun, asked: None })))
    }

    /// It waited until now for its turn.
    pub fn waited(&mut self) {
        if let Some(open) = &mut self.0 {
            open.child("wait", SpanKind::Internal, open.begun);
        }
    }

    /// It was read, and goes to the keeper.
    pub fn asked(&mut self, request: &SignRequest) {
        if let Some(open) = &mut self.0 {
            open.asked = Some(SystemTime::now());
            open.span.set_attributes([
                KeyValue::new("chancery.request_id", request.request_id.to_string()),
                KeyValue::new("chancery.principal", request.principal.to_string()),
                KeyValue::new("chancery.key", request.key.to_string()),
                KeyValue::new("chancery.construction", request.construction.name()),
            ]);
        }
    }

    /// The keeper answered, or will not.
    pub fn answered(&mut self, answer: &Result<Answer, LinkError>) {
        let Some(open) = &mut self.0 else { return };
        if let Some(asked) = open.asked {
            open.child("keeper", SpanKind::Client, asked);
        }
        match answer {
            Ok(Answer::Signed(signed)) => self.end("signed", None, Some(signed.entry_index), false),
            Ok(Answer::Refused(refusal)) => {
                let is_fault = matches!(refusal.kind, RefusalKind::Internal | RefusalKind::Unavailable);
                self.end("refused", Some(refusal.reason.clone()), refusal.entry_index, is_fault);
            }
            Ok(_) => self.end("refused", Some("wrong-answer".to_owned()), None, true),
            Err(_) => self.end("refused", Some("keeper-unreachable".to_owned()), None, true),
        }
    }

    /// The gateway itself refused.
    pub fn refused(&mut self, reason: &str) {
        self.end("refused", Some(reason.to_owned()), None, false);
    }

    fn end(&mut self, decision: &'static str, reason: Option<String>, entry: Option<u64>, is_fault: bool) {
        let Some(mut open) = self.0.take() else { return };
        open.span.set_attribute(KeyValue::new("chancery.decision", decision));
        if let Some(entry) = entry.and_then(|entry| i64::try_from(entry).ok()) {
            open.span.set_attribute(KeyValue::new("chancery.log_index", entry));
        }
        if let Some(reason) = reason {
            if is_fault {
                open.span.set_status(Status::error(reason.clone()));
            }
            open.span.set_attribute(KeyValue::new("chancery.reason", reason));
        }
        open.span.end();
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        self.end("abandoned", None, None, false);
    }
}

impl Open {
    /// A part of the request that began then and ends now.
    fn child(&self, name: &'static str, kind: SpanKind, since: SystemTime) {
        let above = Context::new().with_remote_span_context(self.span.span_context().clone());
        let mut part = self.tracer.span_builder(name).with_kind(kind).with_start_time(since).start_with_context(&self.tracer, &above);
        part.end();
    }
}
