//! The law that a layer is what it was made from: folder, archive, folder again, same ids.

use layercake_executor::change::capture;
use layercake_executor::layer::Contents;
use layercake_executor::layer::compress::Compression;
use layercake_executor::layer::tar;
use layercake_executor::layer::unpack::{Options, Skipped, unpack};
use proptest::prelude::*;

use crate::tree::{Order, at, new_folder, something_below, trees};

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
        let beneath = || Ok(below.to_vec());
        let options = Options::of_layer(&beneath);
        let outcome = unpack(archive.as_slice(), unpacked.path(), options).unwrap();
        prop_assert_eq!(outcome.skipped, Skipped::default());
        // Again an archive before it is captured: times are part of one, and not of ids.
        let again = tar::write(unpacked.path(), None, Vec::new()).unwrap();
        let first = tar::write(upper.path(), None, Vec::new()).unwrap();
        prop_assert!(again == first, "the archive of the unpacked archive differs");
        prop_assert_eq!(capture(unpacked.path(), &below).unwrap(), changes);
    }

    #[test]
    fn an_outline_is_the_same_however_it_was_made(tree in trees()) {
        let base = something_below(&tree).folder();
        let below = [base.path().to_owned()];
        let upper = new_folder();
        tree.make(upper.path(), Order::Forward);
        capture(upper.path(), &below).unwrap();
        let [whole, outline] =
            [tar::write(upper.path(), None, Vec::new()).unwrap(), tar::write_outline(upper.path(), Vec::new()).unwrap()];
        for (archive, contents) in [(&whole, Contents::Outline), (&outline, Contents::All)] {
            let unpacked = new_folder();
            let beneath = || Ok(below.to_vec());
            let options = Options { contents, ..Options::of_layer(&beneath) };
            unpack(archive.as_slice(), unpacked.path(), options).unwrap();
            let again = tar::write_outline(unpacked.path(), Vec::new()).unwrap();
            prop_assert!(again == outline, "the outline of what was unpacked differs");
            prop_assert_eq!(at(unpacked.path(), b"etc/passwd").exists(), at(upper.path(), b"etc/passwd").exists());
        }
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
