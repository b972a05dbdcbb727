//! Packed files: gzip and Zstandard, unpacked while they are read and packed while they are written.
//!
//! Invariant: a packed file is read to its very end or not at all. A stream that was cut, a wrong checksum and bytes
//! behind the last member or frame are errors, so a cut file never looks like a short one. How much comes out is
//! limited, because a few KiB can spell terabytes: past a size that any machine can take, no more than a thousand times
//! what went in, unless the address names a size.
//!
//! Which packing is meant is said by a file's ending; for standard input by its first bytes, because it has no name.
//! Deliberately not read: archives of several files (zip, tar), and Zstandard dictionaries.

use super::error;
use super::format::Input;
use super::place::Origin;
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trueup_core::{Error, Kind, Result};
use zstd::stream::{read::Decoder, write::Encoder};

/// Until here nobody asks how much came out of how little.
const FREE_BYTES: u64 = 64 << 20;
/// Past that, how many times what went in may come out.
const RATIO_MAX: u64 = 1000;
/// How much is read at once.
const BUFFER_BYTES: usize = 128 << 10;
/// The level of Zstandard; its default.
const ZSTD_LEVEL: i32 = 3;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How far packed files are unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unpacking {
    /// The most bytes that may come out; `None` for the usual limit.
    pub(crate) bytes_max: Option<u64>,
    /// The largest window of a Zstandard frame, as a power of two: memory that reading it takes.
    pub(crate) window_log_max: u32,
}

impl Default for Unpacking {
    fn default() -> Self {
        Self {
            bytes_max: None,
            // 128 MiB, as the zstd program.
            window_log_max: 27,
        }
    }
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all.
    #[default]
    None,
    /// As one or more gzip members.
    Gzip,
    /// As one or more Zstandard frames.
    Zstd,
}

impl Packing {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Gzip, Self::Zstd];

    /// Returns the ending of a file's name that says so.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// Splits the ending off a file's name.
    pub(crate) fn split(name: &str) -> (&str, Self) {
        let found = [Self::Gzip, Self::Zstd]
            .into_iter()
            .find_map(|packing| Some((name.strip_suffix(packing.ending())?, packing)));
        found.unwrap_or((name, Self::None))
    }

    fn of(start: &[u8]) -> Self {
        if start.starts_with(GZIP_MAGIC) {
            Self::Gzip
        } else if start.starts_with(ZSTD_MAGIC) {
            Self::Zstd
        } else {
            Self::None
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "Zstandard",
        }
    }
}

/// Returns the content of `file`, which is what stands at `origin`.
pub(crate) fn unpack(
    file: impl Read + Send + 'static,
    origin: &Origin,
    limits: Unpacking,
) -> Result<Input> {
    let failed = |error| error::io(origin.path(), "read", error);
    let read = Arc::new(AtomicU64::new(0));
    let mut file = BufReader::with_capacity(
        BUFFER_BYTES,
        Counted {
            file,
            read: Arc::clone(&read),
        },
    );
    let start = file.fill_buf().map_err(failed)?;
    let found = Packing::of(start);
    let packing = match origin {
        Origin::Held(..) => found,
        Origin::Named(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let said = Packing::split(&name).1;
            // A skippable frame may come first; the decoder then says what is wrong, if anything is.
            if said == Packing::None && found != Packing::None {
                return Err(Error::config(format!(
                    "file is packed and its name does not say so packing={} file={}",
                    found.name(),
                    path.display()
                ))
                .hint(format!("rename it to end in {}", found.ending())));
            }
            said
        }
    };
    if packing == Packing::None {
        return Ok(Box::new(file));
    }
    if start.is_empty() {
        return Err(error::cut(origin.path(), packing.name()));
    }
    let inner: Box<dyn Read + Send> = match packing {
        Packing::None => Box::new(file),
        Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
        Packing::Zstd => {
            let mut decoder = Decoder::with_buffer(file).map_err(failed)?;
            decoder
                .window_log_max(limits.window_log_max)
                .map_err(failed)?;
            Box::new(decoder)
        }
    };
    Ok(Box::new(Unpacked {
        inner,
        packing,
        path: origin.path().to_owned(),
        limits,
        read,
        written: 0,
    }))
}

/// Counts what was read.
struct Counted<R> {
    file: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// What comes out of a packed file, within limits.
struct Unpacked {
    inner: Box<dyn Read + Send>,
    packing: Packing,
    path: PathBuf,
    limits: Unpacking,
    read: Arc<AtomicU64>,
    written: u64,
}

impl Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = match self.inner.read(into) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(io::Error::other(self.refused(error))),
        };
        self.written += count as u64;
        let most = self.limits.bytes_max.unwrap_or_else(|| {
            let read = self.read.load(Ordering::Relaxed);
            read.saturating_mul(RATIO_MAX).max(FREE_BYTES)
        });
        if self.written > most {
            return Err(io::Error::other(self.too_large(most)));
        }
        Ok(count)
    }
}

impl Unpacked {
    /// Translates what a decoder says. None of their messages holds content.
    fn refused(&self, error: io::Error) -> Error {
        let (name, path) = (self.packing.name(), self.path.display());
        let text = error.to_string().to_ascii_lowercase();
        if error.kind() == io::ErrorKind::UnexpectedEof || text.contains("incomplete frame") {
            return error::cut(&self.path, name);
        }
        if error.raw_os_error().is_some() {
            return error::io(&self.path, "read", error);
        }
        if text.contains("too much memory") {
            let log = self.limits.window_log_max;
            return Error::new(
                Kind::Rejected,
                format!("a frame asks for a larger window than the limit limit_log={log} file={path}"),
            )
            .hint("it takes as much memory to read; if that is fine, say ?window_log_max=31 (as zstd --long=31)");
        }
        Error::corrupt(format!("file is not {name} to its end file={path}"))
            .hint("the file is damaged, or something else stands behind the packed data; nothing was concluded from it")
            .cause(error)
    }

    fn too_large(&self, most: u64) -> Error {
        let path = self.path.display();
        let error = Error::new(
            Kind::Rejected,
            format!("file unpacks to more than the limit limit_bytes={most} file={path}"),
        );
        match self.limits.bytes_max {
            Some(_) => error.hint("the limit is the option max_bytes; raise it if the file may be so large"),
            None => error.hint("that is a thousand times its packed size; if it is no trap, say how large it may become: ?max_bytes=..."),
        }
    }
}

/// Packs what is written, into memory; the caller takes it from there.
pub(crate) enum Packer {
    /// As it is.
    Plain(Vec<u8>),
    /// As one gzip member, without a time, so that the same content gives the same bytes.
    Gzip(GzEncoder<Vec<u8>>),
    /// As one Zstandard frame with a checksum.
    Zstd(Encoder<'static, Vec<u8>>),
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    /// Starts packing for a file of this name.
    pub(crate) fn for_file(name: &str) -> io::Result<Self> {
        Ok(match Packing::split(name).1 {
            Packing::None => Self::Plain(Vec::new()),
            Packing::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::default())),
            Packing::Zstd => {
                let mut encoder = Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Tells whether what is written comes out as it is, and at once.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Takes bytes in.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// Returns what came out and was not taken yet.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Plain(out) => out,
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }
    }

    /// Ends the stream; the rest of it is in [`Packer::out`].
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(encoder) => encoder.try_finish(),
            Self::Zstd(encoder) => encoder.do_finish(),
        }
    }
}
