use super::*;
use std::path::PathBuf;

fn shares(dir: &Path) -> (SplitIdentity, Vec<PathBuf>) {
    let split = SplitIdentity::generate(Split::new(3, 5).unwrap());
    let paths = split.write(dir).unwrap();
    (split, paths)
}

#[test]
fn any_three_of_five_shares_open_and_two_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let (split, paths) = shares(dir.path());
    assert_eq!(paths.len(), 5);
    for a in 0..5 {
        for b in a + 1..5 {
            let two = [paths[a].clone(), paths[b].clone()];
            assert!(matches!(Opener::from_shares(&two), Err(BackupError::TooFewShares { given: 2, needed: 3 })));
            for c in b + 1..5 {
                let three = [paths[c].clone(), paths[a].clone(), paths[b].clone()];
                let opener = Opener::from_shares(&three).ok().unwrap();
                assert_eq!(opener.recipient(), split.recipient().to_string());
            }
        }
    }
    assert!(Opener::from_shares(&paths).is_ok());
}

#[test]
fn a_share_that_does_not_belong_is_named() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ((_, paths), (_, theirs)) = (shares(dir.path()), shares(other.path()));
    let whole = std::fs::read_to_string(&paths[1]).unwrap();
    for (from, to) in [("needed 3", "needed 2"), ("number 2", "number 3"), ("share ", "share A"), ("recipient age1", "recipient age1q")] {
        std::fs::write(&paths[1], whole.replacen(&format!("\n{from}"), &format!("\n{to}"), 1)).unwrap();
        let error = Opener::from_shares(&paths[..3]).err().unwrap();
        assert!(matches!(&error, BackupError::Share { path } if *path == paths[1]), "{from}: {error}");
    }
    std::fs::write(&paths[1], &whole).unwrap();
    let mixed = [paths[0].clone(), paths[1].clone(), theirs[2].clone()];
    assert!(matches!(Opener::from_shares(&mixed), Err(BackupError::OtherShare { path, .. }) if path == theirs[2]));
    let twice = [paths[0].clone(), paths[1].clone(), paths[1].clone()];
    assert!(matches!(Opener::from_shares(&twice), Err(BackupError::SameShare { path }) if path == paths[1]));
    assert!(matches!(Opener::from_shares(&[]), Err(BackupError::TooFewShares { .. })));
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    for (needed, of) in [(0, 5), (1, 5), (6, 5), (2, 1)] {
        assert!(matches!(Split::new(needed, of), Err(BackupError::Split)));
    }
}
