//! Names for known failures, from the last lines of stderr. Asked only when the exit is bad and nobody stopped the
//! program: FFmpeg says many of these things in passing and goes on.

use std::path::Path;

use ffleet_protocol::state::FailureClass;

/// A failure that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its class.
    pub class: FailureClass,
    /// The line that gave it away.
    pub line: String,
}

/// Words and what they mean. The first rule that matches any line wins, so what causes others stands above them: no free
/// encoder session is also "out of memory", and a full disk is followed by "Conversion failed!".
const RULES: &[(FailureClass, &[&str])] = &[
    (
        FailureClass::EncoderSessionLimit,
        &["OpenEncodeSessionEx failed: out of memory", "OpenEncodeSessionEx failed: incompatible client key"],
    ),
    (
        FailureClass::NoSuchEncoder,
        &[
            "Unknown encoder '",
            "Invalid encoder type '",
            "Cannot load libcuda.so",
            "Cannot load libnvidia-encode.so",
            "No capable devices found",
            "No NVENC capable devices found",
        ],
    ),
    (FailureClass::NoSuchFilter, &["No such filter: '"]),
    (FailureClass::DiskFull, &["No space left on device", "Disk quota exceeded"]),
    (FailureClass::OutputExists, &["' already exists. Exiting."]),
    (FailureClass::OutOfMemory, &["Cannot allocate memory", "malloc of size "]),
    (FailureClass::PermissionDenied, &["Permission denied", "Read-only file system"]),
    (
        FailureClass::BadOption,
        &[
            "Unrecognized option '",
            "Unable to parse option value ",
            "Error setting option ",
            "Error splitting the argument list",
            "] Option '",
            "Invalid duration specification for ",
            "Unable to find a suitable output format for '",
            "matches no streams",
            "Unrecognized hwaccel: ",
            "At least one output file must be specified",
        ],
    ),
    (
        FailureClass::Network,
        &[
            "Connection refused",
            "Connection timed out",
            "Connection reset by peer",
            "Network is unreachable",
            "No route to host",
            "Failed to resolve hostname ",
            "Server returned 4",
            "Server returned 5",
            "HTTP error ",
        ],
    ),
    (FailureClass::InputNotFound, &[]),
    (FailureClass::InputCorrupt, &["Invalid data found when processing input", "moov atom not found"]),
];

const NOT_FOUND: &str = ": No such file or directory";

/// The failure that `tail` tells of, if it is a known one. `inputs` are the command's, as the program saw them: FFmpeg uses
/// the same words for an input that is missing and for an output whose folder is.
#[must_use]
pub fn name(tail: &str, inputs: &[&Path]) -> Option<Named> {
    let lines: Vec<&str> = tail.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
    RULES.iter().find_map(|(class, words)| {
        let missing = *class == FailureClass::InputNotFound;
        let tells =
            |line: &str| words.iter().any(|word| line.contains(word)) || (missing && is_missing_input(line, inputs));
        // The last such line is nearest to the end.
        lines.iter().rev().find(|line| tells(line)).map(|line| Named { class: *class, line: shortened(line) })
    })
}

fn is_missing_input(line: &str, inputs: &[&Path]) -> bool {
    line.strip_suffix(NOT_FOUND).is_some_and(|path| {
        let path = path.strip_prefix("file:").unwrap_or(path);
        inputs.iter().any(|input| input.to_string_lossy() == path) || path.ends_with("Error opening input")
    })
}

fn shortened(line: &str) -> String {
    const LONGEST: usize = 300;
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use FailureClass as F;

    use super::*;

    /// Last words of ffmpeg 5.1.9, as they were produced by provoking each failure.
    const REAL: &[(Option<F>, &str)] = &[
        (Some(F::NoSuchEncoder), "      vendor_id       : [0][0][0][0]\nUnknown encoder 'nosuch'\n"),
        (Some(F::NoSuchEncoder), "Press [q] to stop, [?] for help\nInvalid encoder type 'mp3'\n"),
        (
            Some(F::NoSuchEncoder),
            "[h264_nvenc @ 0x564ae3ee2bc0] Cannot load libcuda.so.1\nError initializing output stream 0:0 -- Error while \
             opening encoder for output stream #0:0 - maybe incorrect parameters such as bit_rate, rate, width or \
             height\n[aac @ 0x564ae3ee2bc0] Qavg: 102.568\nConversion failed!\n",
        ),
        (
            Some(F::EncoderSessionLimit),
            "[h264_nvenc @ 0x1] OpenEncodeSessionEx failed: out of memory (10): (no details)\n[h264_nvenc @ 0x1] No capable \
             devices found\nError initializing output stream 0:0 -- Error while opening encoder\nConversion failed!\n",
        ),
        (
            Some(F::NoSuchFilter),
            "[AVFilterGraph @ 0x5614fc384e80] No such filter: 'nosuchf'\nError reinitializing filters!\nFailed to inject \
             frame into filter network: Invalid argument\nConversion failed!\n",
        ),
        (Some(F::InputNotFound), "/m/in.mkv: No such file or directory\n"),
        (None, "      vendor_id       : [0][0][0][0]\n/m/nodir/o.mp4: No such file or directory\n"),
        (
            Some(F::InputCorrupt),
            "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x556197f59880] moov atom not found\ng.mp4: Invalid data found when processing \
             input\n",
        ),
        (Some(F::OutputExists), "File '/m/ex.mp4' already exists. Exiting.\n"),
        (Some(F::BadOption), "Unrecognized option 'foo'.\nError splitting the argument list: Option not found\n"),
        (
            Some(F::BadOption),
            "[libx264 @ 0x55c81ee0c480] Unable to parse option value \"abc\"\n[libx264 @ 0x55c81ee0c480] Error setting option \
             crf to value abc.\nError initializing output stream 0:0\nConversion failed!\n",
        ),
        (
            Some(F::BadOption),
            "[Parsed_scale_0 @ 0x5594c6fe7780] Option 'foo' not found\n[AVFilterGraph @ 0x5594c6fe6e80] Error initializing \
             filter 'scale' with args 'foo=bar'\nError reinitializing filters!\nConversion failed!\n",
        ),
        (Some(F::BadOption), "Invalid duration specification for t: abc\n"),
        (
            Some(F::BadOption),
            "[NULL @ 0x55e7bc76e240] Unable to find a suitable output format for 'o.nosuchfmt'\no.nosuchfmt: Invalid \
             argument\n",
        ),
        (Some(F::BadOption), "Stream map '0:7' matches no streams.\nTo ignore this, add a trailing '?' to the map.\n"),
        (
            Some(F::DiskFull),
            "frame=   12 fps=0.0 q=-0.0 Lsize=      64kB time=00:00:00.52 bitrate= 998.6kbits/s speed=  27x    \n\
             video:338kB audio:1kB subtitle:0kB\nError closing file m/o.mkv: No space left on device\nConversion failed!\n",
        ),
        (
            Some(F::OutOfMemory),
            "x264 [error]: malloc of size 61963211 failed\nError initializing output stream 0:0 -- Error while opening \
             encoder for output stream #0:0\nConversion failed!\n",
        ),
        (Some(F::PermissionDenied), "      vendor_id       : [0][0][0][0]\n/tmp/ff/o9.mp4: Permission denied\n"),
        (
            Some(F::Network),
            "[tcp @ 0x563f41dcef40] Connection to tcp://127.0.0.1:1 failed: Connection refused\n\
             http://127.0.0.1:1/x.mp4: Connection refused\n",
        ),
        (
            Some(F::Network),
            "[tcp @ 0x557746dfcf40] Failed to resolve hostname no.such.host.invalid: Name or service not known\n\
             http://no.such.host.invalid/x.mp4: Input/output error\n",
        ),
        (None, ".: Is a directory\n"),
        (None, "Conversion failed!\n"),
        (None, ""),
    ];

    #[test]
    fn real_last_words_are_understood() {
        for (class, tail) in REAL {
            let named = name(tail, &[Path::new("/m/in.mkv")]);
            assert_eq!(named.as_ref().map(|named| named.class), *class, "{tail}");
            if let Some(named) = named {
                assert!(tail.contains(&named.line), "{}", named.line);
            }
        }
    }

    #[test]
    fn status_lines_end_with_a_carriage_return() {
        let tail =
            "frame=  1 speed=1x    \rframe=  2 speed=1x    \rav_interleaved_write_frame(): No space left on device\r";
        let named = name(tail, &[]).unwrap();
        assert_eq!(
            (named.class, named.line.as_str()),
            (F::DiskFull, "av_interleaved_write_frame(): No space left on device")
        );
    }

    #[test]
    fn a_line_without_end_is_shortened() {
        let line = name(&format!("Unknown encoder '{}'", "ä".repeat(1000)), &[]).unwrap().line;
        assert!(line.ends_with('…') && line.chars().count() == 301);
    }
}
