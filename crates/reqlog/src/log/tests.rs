use super::*;
use crate::testing::{Bed, batch, details, leaf, root};
use chancery_tlog::TlogProof;

#[test]
fn what_was_appended_is_there_after_reopening_with_receipts_and_details() {
    let bed = Bed::new();
    let (mut log, recovery) = bed.open();
    assert!(recovery.created);
    let appended = log.append(&batch(0, 3)).unwrap();
    assert_eq!((appended.first_index(), appended.size()), (0, 3));
    let appended = log.append(&batch(3, 700)).unwrap();
    for (place, index) in (3..700).enumerate() {
        let receipt = String::from_utf8(appended.receipt(place, &leaf(index)).unwrap()).unwrap();
        let proof: TlogProof = receipt.parse().unwrap();
        assert_eq!(proof.index, index);
        assert_eq!(proof.verify(&leaf(index), &bed.key.verifier).unwrap().size, 700);
        assert!(proof.verify(b"other", &bed.key.verifier).is_err());
    }
    assert!(appended.receipt(697, b"").is_none());
    log.close().unwrap();

    let (log, recovery) = bed.open();
    assert_eq!(recovery, Recovery { size: 700, created: false, dropped_bytes: 0, dropped_to: None, published: 700 });
    assert_eq!(log.checkpoint().checkpoint.root, root(700));
    let reader = log.reader();
    assert_eq!(reader.details(699).unwrap().unwrap(), details(699));
    assert_eq!(reader.entries(200, 300).unwrap(), (200..500).map(leaf).collect::<Vec<_>>());
    for index in [0, 255, 256, 511, 699] {
        let proof: TlogProof = String::from_utf8(reader.receipt(index).unwrap()).unwrap().parse().unwrap();
        proof.verify(&leaf(index), &bed.key.verifier).unwrap();
    }
}
