//! Compressed streams: the same bytes on any number of threads, and what other tools make of them.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use layercake_executor::layer::compress::Compression;
use layercake_executor::layer::decompress::Decompressor;

use crate::machine::{Need, has};

/// Several blocks of something between noise and repetition.
fn sample(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let words: Vec<Vec<u8>> = (0..200).map(|index| format!("word-{index:x} ").into_bytes()).collect();
    let mut bytes = Vec::with_capacity(length + 16);
    while bytes.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend_from_slice(&words[(state >> 16) as usize % words.len()]);
    }
    bytes.truncate(length);
    bytes
}

fn compress(compression: Compression, bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut compressor = compression.compressor(Vec::new()).unwrap();
    for piece in bytes.chunks(piece.max(1)) {
        compressor.write_all(piece).unwrap();
    }
    compressor.finish().unwrap()
}

const ALL: [Compression; 6] = [
    Compression::None,
    Compression::Gzip { level: 0 },
    Compression::Gzip { level: 1 },
    Compression::GZIP,
    Compression::ZSTD,
    Compression::Zstd { level: 9 },
];

#[test]
fn the_bytes_do_not_depend_on_threads_or_on_how_they_were_written() {
    let bytes = sample(5 << 20);
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    for compression in ALL {
        let one = pool(1).install(|| compress(compression, &bytes, 1 << 16));
        let two = pool(2).install(|| compress(compression, &bytes, 1 << 20));
        let five = pool(5).install(|| compress(compression, &bytes, 12_345));
        let outside = compress(compression, &bytes, bytes.len());
        assert!(one == two && two == five && five == outside, "{compression:?}");
    }
}

#[test]
fn everything_comes_back() {
    for length in [0, 1, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20] {
        let bytes = sample(length);
        for compression in ALL {
            let mut back = Vec::new();
            Decompressor::new(compress(compression, &bytes, 1 << 16).as_slice())
                .unwrap()
                .read_to_end(&mut back)
                .unwrap();
            assert!(back == bytes, "{length} bytes by {compression:?}");
        }
    }
}

#[test]
fn blocks_cost_little() {
    let bytes = sample(4 << 20);
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(2).unwrap());
    let mut whole = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let whole = compressor.gzip_compress(&bytes, &mut whole).unwrap();
    let blocks = compress(Compression::GZIP, &bytes, 1 << 16).len();
    assert!(blocks < whole + whole / 200, "{blocks} bytes instead of {whole}");
}

#[test]
fn other_tools_accept_and_agree() {
    let bytes = sample(3 << 20);
    let cases: [(&str, &[&str], Compression); 4] = [
        ("gzip", &["-dc"], Compression::GZIP),
        ("busybox", &["gunzip", "-c"], Compression::GZIP),
        (
            "python3",
            &["-c", "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.stdin.buffer).read())"],
            Compression::GZIP,
        ),
        ("zstd", &["-dc"], Compression::ZSTD),
    ];
    for (program, arguments, compression) in cases {
        if !has(Need::Program(program)) {
            continue;
        }
        let compressed = compress(compression, &bytes, 1 << 16);
        let mut child =
            Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&compressed).unwrap());
        let mut back = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut back).unwrap();
        writer.join().unwrap();
        assert!(child.wait().unwrap().success() && back == bytes, "{program}");
    }
}

#[test]
fn every_member_has_a_header_that_says_nothing() {
    let compressed = compress(Compression::GZIP, &sample(3 << 20), 1 << 16);
    assert_eq!(compressed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    // A reader of one member reads one block.
    let mut back = Vec::new();
    flate2::bufread::GzDecoder::new(compressed.as_slice()).read_to_end(&mut back).unwrap();
    assert_eq!(back.len(), 1 << 20);
}

/// What cannot be made smaller grows by next to nothing, and what can be is, wherever in a block it lies.
#[test]
fn noise_costs_nothing_and_hides_nothing() {
    let mut noise = vec![0; 5 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    for compression in ALL {
        let compressed = compress(compression, &noise, 1 << 16).len();
        assert!(compressed < noise.len() + noise.len() / 1000, "{compression:?}: {compressed}");
    }
    let text = sample(5 << 20);
    let mixed: Vec<u8> = noise.chunks(300_000).zip(text.chunks(300_000)).flat_map(|(a, b)| [a, b].concat()).collect();
    let apart = compress(Compression::GZIP, &text, 1 << 16).len() + noise.len();
    let together = compress(Compression::GZIP, &mixed, 1 << 16);
    assert!(together.len() < apart + apart / 50, "{} bytes instead of {apart}", together.len());
    let mut back = Vec::new();
    Decompressor::new(together.as_slice()).unwrap().read_to_end(&mut back).unwrap();
    assert!(back == mixed);
}

#[test]
fn levels_that_do_not_exist_are_refused() {
    for compression in
        [Compression::Gzip { level: 10 }, Compression::Zstd { level: 0 }, Compression::Zstd { level: 23 }]
    {
        let error = compression.compressor(Vec::new()).err().unwrap();
        assert!(error.to_string().contains("compression level"), "{error}");
        assert_eq!(error.fault(), layercake_executor::fault::Fault::Input);
    }
}
