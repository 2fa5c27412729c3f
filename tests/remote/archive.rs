//! Tars, good and bad, in all compressions.

use std::io::Write;
use std::process::{Command, Stdio};

use tar::{Builder, EntryType, Header};

use crate::support::tools::available;

/// A tar of these files.
pub(crate) fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, content) in files {
        entry(&mut builder, path, EntryType::Regular, "", content.as_bytes());
    }
    builder.into_inner().unwrap()
}

/// Appends an entry whose path and target stand in it as they are, however wrong.
pub(crate) fn entry(builder: &mut Builder<Vec<u8>>, path: &str, kind: EntryType, target: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    let old = header.as_old_mut();
    old.name[..path.len()].copy_from_slice(path.as_bytes());
    old.linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
    header.set_uid(1234);
    header.set_gid(1234);
    header.set_mtime(1_600_000_000);
    header.set_size(content.len() as u64);
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The bytes in every compression that there is, with its name.
pub(crate) fn compressed(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![("none", bytes.to_vec()), ("gzip", gzip(bytes)), ("zstd", zstd::encode_all(bytes, 1).unwrap())];
    for program in ["xz", "bzip2"] {
        if available(&[program]) {
            all.push((program, piped(program, bytes)));
        }
    }
    all
}

fn piped(program: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
    let feeder = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    output.stdout
}
