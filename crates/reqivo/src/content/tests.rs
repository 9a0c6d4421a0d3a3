use std::io::Write;

use bytes::Bytes;
use zstd_safe::CParameter;

use super::ContentDecoder;
use crate::error::{Error, ErrorKind};
use crate::headers::Headers;
use crate::proto::Limits;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new()
        .filename("name")
        .comment("comment")
        .extra(vec![1, 2, 3])
        .write(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn brotli_window(data: &[u8], window: u32) -> Vec<u8> {
    let mut coded = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut coded, 4096, 5, window);
    encoder.write_all(data).unwrap();
    drop(encoder);
    coded
}

fn br(data: &[u8]) -> Vec<u8> {
    brotli_window(data, 22)
}

fn zstd_window(data: &[u8], window: u32) -> Vec<u8> {
    let mut encoder = zstd_safe::CCtx::create();
    for parameter in [
        CParameter::ChecksumFlag(true),
        CParameter::ContentSizeFlag(false),
        CParameter::WindowLog(window),
    ] {
        encoder.set_parameter(parameter).unwrap();
    }
    let mut coded = Vec::with_capacity(zstd_safe::compress_bound(data.len()) + 100);
    let mut input = zstd_safe::InBuffer::around(data);
    let mut output = zstd_safe::OutBuffer::around(&mut coded);
    // In steps, so that the encoder does not know the size beforehand.
    encoder.compress_stream(&mut output, &mut input).unwrap();
    assert_eq!(encoder.end_stream(&mut output).unwrap(), 0);
    coded
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd_window(data, 20)
}

type Encode = fn(&[u8]) -> Vec<u8>;

/// The formats with their encoders: the name of the coding, and how to code.
const FORMATS: [(&str, Encode); 5] = [
    ("gzip", gzip),
    ("deflate", zlib),
    ("deflate", raw_deflate),
    ("br", br),
    ("zstd", zstd),
];

fn decoder_of(coding: &str, limits: &Limits) -> Result<Option<ContentDecoder>, Error> {
    let mut headers = Headers::new();
    headers.append("Content-Encoding", coding)?;
    ContentDecoder::new(&headers, limits)
}

fn decoder(coding: &str, limits: &Limits) -> ContentDecoder {
    decoder_of(coding, limits).unwrap().unwrap()
}

fn decode(coded: &[u8], step: usize, coding: &str) -> Result<Vec<u8>, Error> {
    let mut decoder = decoder(coding, &Limits::default());
    let mut plain = Vec::new();
    for piece in coded.chunks(step) {
        decoder.feed(Bytes::copy_from_slice(piece));
        while let Some(data) = decoder.decode()? {
            assert!(!data.is_empty() && data.len() <= 64 * 1024);
            plain.extend_from_slice(&data);
        }
    }
    decoder.finish()?;
    Ok(plain)
}

/// Bytes that compress to about half.
fn mixed(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + u8::try_from(state >> 28).unwrap()
        })
        .collect()
}

#[test]
fn every_format_is_decoded_at_every_split() {
    // What fills a step of output exactly, and what does not.
    let inputs = [
        Vec::new(),
        b"x".to_vec(),
        mixed(5000),
        vec![0; 64 * 1024],
        vec![7; 128 * 1024],
        [mixed(70_000), vec![0; 200_000]].concat(),
    ];
    for (coding, encode) in FORMATS {
        for plain in &inputs {
            let coded = encode(plain);
            for step in [1, 2, 3, 7, 1000, coded.len()] {
                let decoded = decode(&coded, step, coding);
                assert!(
                    decoded.as_ref().is_ok_and(|decoded| decoded == plain),
                    "{coding}, {} bytes in steps of {step}: {:?}",
                    plain.len(),
                    decoded.map(|decoded| decoded.len())
                );
            }
        }
    }
}

#[test]
fn what_was_sent_so_far_comes_out_before_the_end_is_there() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&[b'z'; 10_000]).unwrap();
    encoder.flush().unwrap();
    let mut decoder = decoder("gzip", &Limits::default());
    for byte in encoder.get_ref() {
        decoder.feed(Bytes::copy_from_slice(&[*byte]));
    }
    let mut count = 0;
    while let Some(data) = decoder.decode().unwrap() {
        count += data.len();
    }
    assert_eq!(count, 10_000);
    assert!(decoder.finish().is_err());
}

#[test]
fn several_members_and_frames_are_one_body_and_other_formats_end_once() {
    for (coding, encode) in FORMATS {
        let (first, second) = (mixed(3000), b"more".to_vec());
        let coded = [encode(&first), encode(&second)].concat();
        for step in [1, 2, 7, 1000, coded.len()] {
            let decoded = decode(&coded, step, coding);
            if matches!(coding, "gzip" | "zstd") {
                assert_eq!(decoded.unwrap(), [&first[..], &second].concat(), "{coding}");
            } else {
                assert_eq!(decoded.unwrap_err().kind(), ErrorKind::Decode, "{coding}");
            }
        }
    }
    // A frame that is to be skipped (RFC 8878 3.1.2).
    let skipped = [&b"\x53\x2a\x4d\x18\x03\0\0\0abc"[..], &zstd(b"hello")].concat();
    assert_eq!(decode(&skipped, 3, "zstd").unwrap(), b"hello");
}

#[test]
fn codings_are_undone_in_reverse_order() {
    let coded = zstd(&br(&zlib(&gzip(&gzip(b"five times")))));
    for step in [1, 5, 1000] {
        let plain = decode(&coded, step, "gzip, X-GZIP,deflate , identity, Br,, zstd").unwrap();
        assert_eq!(plain, b"five times");
    }
    assert!(decode(&coded, 5, "zstd, br, deflate, gzip, gzip").is_err());
    assert_eq!(decode(&gzip(&br(b"x")), 5, "gzip").unwrap(), br(b"x"));
}

#[test]
fn every_truncation_is_an_error_and_an_empty_body_is_none() {
    for (coding, encode) in FORMATS {
        let coded = encode(&mixed(300));
        for end in 1..coded.len() {
            let error = decode(&coded[..end], 1000, coding).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{coding} cut at {end}");
        }
        assert_eq!(decode(b"", 1, coding).unwrap(), b"");
    }
}

#[test]
fn garbage_is_an_error_before_and_after_the_data() {
    for (coding, encode) in FORMATS {
        let after = [&encode(b"some text")[..], b"garbage"].concat();
        for step in [1, 1000] {
            let error = decode(&after, step, coding).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{coding}");
            assert!(decode(b"<html>plain text</html>", step, coding).is_err());
        }
    }
}

#[test]
fn checksums_are_checked() {
    for (coding, encode, length) in [
        ("gzip", gzip as Encode, 8),
        ("deflate", zlib, 4),
        ("zstd", zstd, 4),
    ] {
        let coded = encode(b"some text that is long enough to have a body");
        for at in coded.len() - length..coded.len() {
            let mut broken = coded.clone();
            broken[at] ^= 1;
            assert!(decode(&broken, 1000, coding).is_err(), "{coding} at {at}");
        }
    }
}

#[test]
fn optional_header_parts_of_gzip_are_skipped_and_their_checksum_is_checked() {
    let plain = gzip(b"hello");
    let length = 10 + 2 + 3 + "name\0".len() + "comment\0".len();
    let mut header = plain[..length].to_vec();
    header[3] |= 2;
    let mut check = flate2::Crc::new();
    check.update(&header);
    let sum = check.sum().to_le_bytes();
    let with = |sum: [u8; 2]| [&header[..], &sum, &plain[length..]].concat();
    let (good, bad) = (with([sum[0], sum[1]]), with([sum[0] ^ 1, sum[1]]));
    for step in [1, 3, 1000] {
        assert_eq!(decode(&good, step, "gzip").unwrap(), b"hello");
        let error = decode(&bad, step, "gzip").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "steps of {step}");
    }
}

#[test]
fn deflate_without_a_wrapper_is_told_from_a_damaged_one() {
    // The shortest there is: an empty block.
    assert_eq!(decode(b"\x03\0", 1, "deflate").unwrap(), b"");
    let mut broken = zlib(b"some text");
    broken[1] ^= 1;
    assert!(decode(&broken, 1000, "deflate").is_err());
    // A preset dictionary that nobody has.
    assert!(decode(b"\x78\xbb\0\0\0\0\x03\0", 1000, "deflate").is_err());
}

#[test]
fn windows_are_bounded() {
    let data = mixed(1000);
    assert_eq!(decode(&zstd_window(&data, 23), 100, "zstd").unwrap(), data);
    assert_eq!(
        decode(&zstd_window(&data, 24), 100, "zstd")
            .unwrap_err()
            .kind(),
        ErrorKind::Decode
    );
    assert_eq!(decode(&brotli_window(&data, 24), 100, "br").unwrap(), data);
    // The large windows of an extension: 0x11 announces one.
    assert!(decode(b"\x11\x1e\0\0\0\0\0", 100, "br").is_err());
}

/// Decodes all, and returns how much came out before the error.
fn run(coding: &str, coded: &[u8], limits: &Limits) -> Result<usize, (usize, Error)> {
    let mut decoder = decoder(coding, limits);
    decoder.feed(Bytes::copy_from_slice(coded));
    let mut plain = 0;
    loop {
        match decoder.decode() {
            Ok(Some(data)) => plain += data.len(),
            Ok(None) => return Ok(plain),
            Err(error) => return Err((plain, error)),
        }
    }
}

#[test]
fn a_bomb_stops_early_and_an_explicit_size_limit_lifts_the_ratio_guard() {
    let size = 64 * 1024 * 1024;
    for (coding, encode) in FORMATS {
        let coded = encode(&vec![0; size]);
        // A thousand to one is the most that deflate reaches.
        if size > coded.len() * 1010 {
            let (plain, error) = run(coding, &coded, &Limits::default()).unwrap_err();
            assert!(
                error.is_limit() && plain <= 1010 * coded.len().max(1040),
                "{coding}: {plain} bytes, then {error}"
            );
        }
        let explicit = Limits::default().buffered_bytes(1);
        assert_eq!(run(coding, &coded, &explicit).unwrap(), size, "{coding}");
    }
}

#[test]
fn no_layer_inflates_unbounded_for_the_next() {
    // The inner gzip is a header whose name never ends: a layer that takes all and gives nothing.
    let endless_name = [
        &[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0][..],
        &vec![b'n'; 64 * 1024 * 1024],
    ]
    .concat();
    for (outer, encode) in [("br", br as Encode), ("zstd", zstd)] {
        let coded = encode(&endless_name);
        let coding = format!("gzip, {outer}");
        // The size limit that lifts the guard from the body does not lift it from the layers inside.
        for limits in [Limits::default(), Limits::default().buffered_bytes(1 << 40)] {
            let mut decoder = decoder(&coding, &limits);
            decoder.feed(Bytes::from(coded.clone()));
            let counted = allocation_counter::measure(|| {
                assert!(decoder.decode().unwrap_err().is_limit(), "{coding}");
            });
            assert!(
                decoder.inner_bytes() <= 1000 * coded.len().max(1100) as u64,
                "{coding}: {}",
                decoder.inner_bytes()
            );
            // The window of the outer format, and what is on its way from one layer to the next.
            assert!(counted.bytes_max < 12 * 1024 * 1024, "{counted:?}");
        }
    }
}

#[test]
fn memory_does_not_grow_with_the_body() {
    for (coding, encode) in FORMATS {
        let most = |size: usize| {
            let coded = Bytes::from(encode(&mixed(size)));
            let counted = allocation_counter::measure(|| {
                let mut decoder = decoder(coding, &Limits::default());
                for at in (0..coded.len()).step_by(8192) {
                    decoder.feed(coded.slice(at..coded.len().min(at + 8192)));
                    while decoder.decode().unwrap().is_some() {}
                }
                decoder.finish().unwrap();
            });
            counted.bytes_max
        };
        let (small, large) = (most(6_000_000), most(24_000_000));
        assert!(
            large <= small + 64 * 1024,
            "{coding}: {small} bytes, then {large}"
        );
    }
}

#[test]
fn unknown_codings_pass_through_and_too_many_are_refused() {
    let of = |coding: &str| decoder_of(coding, &Limits::default());
    for coding in ["compress", "gzip, aes128gcm", "identity", "", "gzip;q=1"] {
        assert!(of(coding).unwrap().is_none(), "{coding:?}");
    }
    assert!(of("gzip,br,zstd,gzip,deflate").unwrap().is_some());
    assert!(of("gzip,br,zstd,gzip,deflate,gzip").unwrap_err().is_limit());
}

#[test]
fn accept_encoding_names_the_decoders_of_this_build() {
    assert_eq!(super::codec::ACCEPTED, "gzip, deflate, br, zstd");
    for coding in super::codec::ACCEPTED.split(", ") {
        assert!(decoder_of(coding, &Limits::default()).unwrap().is_some());
    }
}
