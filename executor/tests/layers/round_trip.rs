//! The law that a layer is what it was made from: folder, archive, folder again, same ids.

use layercake_executor::change::capture;
use layercake_executor::layer::compress::Compression;
use layercake_executor::layer::tar;
use layercake_executor::layer::unpack::{Marks, Options, Skipped, Top, unpack};
use proptest::prelude::*;

use crate::tree::{Order, new_folder, something_below, trees};

proptest! {
    #![proptest_config(crate::tree::cases(48))]

    #[test]
    fn a_folder_comes_back_from_its_archive(tree in trees(), compressed in any::<bool>()) {
        let base = something_below(&tree).folder();
        let below = [base.path().to_owned()];
        let upper = new_folder();
        tree.make(upper.path(), Order::Forward);
        let changes = capture(upper.path(), &below).unwrap();
        let compression = if compressed { Compression::GZIP } else { Compression::None };
        let out = compression.compressor(Vec::new()).unwrap();
        let archive = tar::write(upper.path(), None, out).unwrap().finish().unwrap();

        let unpacked = new_folder();
        let options = Options { marks: Marks::Deletions, top: Top::Taken, owner: None, below: &|| Ok(below.to_vec()) };
        let outcome = unpack(archive.as_slice(), unpacked.path(), options).unwrap();
        prop_assert_eq!(outcome.skipped, Skipped::default());
        // Again an archive before it is captured: times are part of one, and not of ids.
        let again = tar::write(unpacked.path(), None, Vec::new()).unwrap();
        let first = tar::write(upper.path(), None, Vec::new()).unwrap();
        prop_assert!(again == first, "the archive of the unpacked archive differs");
        prop_assert_eq!(capture(unpacked.path(), &below).unwrap(), changes);
    }

    #[test]
    fn capturing_twice_changes_nothing(tree in trees()) {
        let base = something_below(&tree).folder();
        let below = [base.path().to_owned()];
        let upper = tree.folder();
        let changes = capture(upper.path(), &below).unwrap();
        let archive = tar::write(upper.path(), None, Vec::new()).unwrap();
        prop_assert_eq!(capture(upper.path(), &below).unwrap(), changes);
        prop_assert_eq!(tar::write(upper.path(), None, Vec::new()).unwrap(), archive);
    }

    #[test]
    fn order_of_creation_and_times_do_not_matter(tree in trees()) {
        let base = something_below(&tree).folder();
        let below = [base.path().to_owned()];
        let mut other = tree.clone();
        for node in other.0.values_mut() {
            node.mtime /= 2;
        }
        let (one, two) = (new_folder(), new_folder());
        tree.make(one.path(), Order::Forward);
        other.make(two.path(), Order::Backward);
        prop_assert_eq!(capture(one.path(), &below).unwrap(), capture(two.path(), &below).unwrap());
    }
}
