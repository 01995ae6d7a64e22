//! Columns of a scan as Arrow lays them out: what Python would otherwise make an object of for each record.

use crate::blake2b::Keyed;
use crate::json::{is_plain, Around, Scan, ABSENT, ARRAY, ESCAPED, NULL, OBJECT, STRING};
use crate::layout::Layout;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// The text of a field in a record.
fn text_of<'a>(scan: &Scan, data: &'a [u8], field: usize, row: i64) -> &'a [u8] {
    let span = scan.span(row as usize, field);
    match span.kind {
        NULL => b"null",
        _ => &data[span.start as usize..span.end as usize],
    }
}

/// Total bytes of a field's texts.
pub fn text_bytes(scan: &Scan, data: &[u8], field: usize, rows: &[i64]) -> usize {
    rows.iter().map(|&row| text_of(scan, data, field, row).len()).sum()
}

/// Texts of a field: `offsets` has one more than rows, `valid` a bit for each row, `out` room for `text_bytes`.
pub fn texts(
    scan: &Scan,
    data: &[u8],
    field: usize,
    rows: &[i64],
    offsets: &mut [i32],
    valid: &mut [u8],
    out: &mut [u8],
) {
    let mut at = 0;
    offsets[0] = 0;
    for (place, &row) in rows.iter().enumerate() {
        fetch_ahead(scan, data, &[field as u32], rows, place);
        let text = text_of(scan, data, field, row);
        out[at..at + text.len()].copy_from_slice(text);
        at += text.len();
        offsets[place + 1] = at as i32;
        if scan.span(row as usize, field).kind != ABSENT {
            valid[place / 8] |= 1 << (place % 8);
        }
    }
}

pub fn kinds(scan: &Scan, field: usize, rows: &[i64], out: &mut [u8]) {
    for (kind, &row) in out.iter_mut().zip(rows) {
        *kind = scan.span(row as usize, field).kind;
    }
}

/// What a secret becomes: this, and the hash of it under the installation's key.
const REDACTED: &[u8] = b"redacted:";
const SECRET_HASH_BYTES: usize = 8;
const REDACTED_BYTES: usize = REDACTED.len() + 2 * SECRET_HASH_BYTES;

/// What is written around records that lay inside of others, so that each can stand alone.
pub type Wrapping = (Vec<u8>, Vec<u8>);

pub fn wrapping(around: &Around, data: &[u8], layout: &Layout) -> Wrapping {
    let [outer, middle, inner] = &layout.nestings[around.nesting];
    let object = |(start, end): (u32, u32)| match &data[start as usize..end as usize] {
        [] => b"{}",
        text => text,
    };
    let opening = [
        b"{\"" as &[u8],
        outer,
        b"\":[{\"resource\":",
        object(around.outer),
        b",\"",
        middle,
        b"\":[{\"scope\":",
        object(around.inner),
        b",\"",
        inner,
        b"\":[",
    ];
    (opening.concat(), b"]}]}]}".to_vec())
}

/// The wrapping of each `around` of the scan, with one more that is empty for records that stand alone.
pub fn wrappings(scan: &Scan, data: &[u8], layout: &Layout) -> Vec<Wrapping> {
    let alone = std::iter::once(Wrapping::default());
    alone
        .chain(scan.around.iter().map(|around| wrapping(around, data, layout)))
        .collect()
}

/// Whether a record is not written again as it stands in the text: something stands around it, or secrets are taken out.
fn is_rewritten(scan: &Scan, row: usize, key: &[u8]) -> bool {
    scan.arounds[row] > 0 || (!key.is_empty() && !scan.secrets_of(row).is_empty())
}

/// Room enough for the records that are rewritten.
pub fn record_bytes(scan: &Scan, wrappings: &[Wrapping], rows: &[i64], key: &[u8]) -> usize {
    let bytes = |row: usize| {
        let (start, end) = scan.records[row];
        let (opening, closing) = &wrappings[scan.arounds[row] as usize];
        (end - start) as usize + scan.secrets_of(row).len() * REDACTED_BYTES + opening.len() + closing.len()
    };
    let rows = rows.iter().map(|&row| row as usize);
    rows.filter(|&row| is_rewritten(scan, row, key)).map(bytes).sum()
}

/// A text as Arrow's view of it: its length, and the text itself where it is short, else how it begins and where it is.
pub type View = [u8; 16];
const SHORT: usize = 12;
/// In which buffer a text is.
const DATA: u32 = 0;
const REWRITTEN: u32 = 1;

fn view(text: &[u8], buffer: u32, start: usize) -> View {
    let mut view = [0; 16];
    view[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
    if text.len() <= SHORT {
        view[4..4 + text.len()].copy_from_slice(text);
    } else {
        view[4..8].copy_from_slice(&text[..4]);
        view[8..12].copy_from_slice(&buffer.to_le_bytes());
        view[12..].copy_from_slice(&(start as u32).to_le_bytes());
    }
    view
}

/// Whole records, under a key without their plain secrets: views of `data`, and of `out` for those that are rewritten.
/// Returns how many stay in `data`.
pub fn records(
    scan: &Scan,
    data: &[u8],
    wrappings: &[Wrapping],
    rows: &[i64],
    key: &[u8],
    views: &mut [View],
    out: &mut [u8],
) -> usize {
    let keyed = (!key.is_empty()).then(|| Keyed::new(key, SECRET_HASH_BYTES));
    let (mut at, mut n_staying) = (0, 0);
    for (place, (record, &row)) in views.iter_mut().zip(rows).enumerate() {
        if let Some(&ahead) = rows.get(place + ROWS_AHEAD) {
            fetch(&data[scan.records[ahead as usize].0 as usize]);
        }
        let row = row as usize;
        let (mut start, end) = scan.records[row];
        if !is_rewritten(scan, row, key) {
            *record = view(&data[start as usize..end as usize], DATA, start as usize);
            n_staying += 1;
            continue;
        }
        let begin = at;
        let mut put = |text: &[u8]| {
            out[at..at + text.len()].copy_from_slice(text);
            at += text.len();
        };
        let (opening, closing) = &wrappings[scan.arounds[row] as usize];
        put(opening);
        let secrets = keyed
            .iter()
            .flat_map(|keyed| scan.secrets_of(row).iter().map(move |at| (keyed, at)));
        for (keyed, &(secret_start, secret_end)) in secrets {
            put(&data[start as usize..secret_start as usize]);
            let mut hash = [0; 2 * SECRET_HASH_BYTES];
            keyed.hex(
                std::iter::once(&data[secret_start as usize..secret_end as usize]),
                &mut hash,
            );
            put(REDACTED);
            put(&hash);
            start = secret_end;
        }
        put(&data[start as usize..end as usize]);
        put(closing);
        *record = view(&out[begin..at], REWRITTEN, begin);
    }
    n_staying
}

const ROWS_AHEAD: usize = 6;
const FIELDS_IN_A_LINE: usize = 5;
const LINE: usize = 64;
const LINES: usize = 8;

/// Equal codes for rows whose fields are equal in kind and text; returns how many there are. `firsts` has for each the
/// place in `rows` where it first is.
pub fn codes(scan: &Scan, data: &[u8], fields: &[u32], rows: &[i64], out: &mut [i32], firsts: &mut [i64]) -> usize {
    let mut table = vec![0u32; (rows.len() * 2).next_power_of_two().max(16)]; // code + 1; 0 is free
    let mask = table.len() - 1;
    // a log must not be able to choose texts that all fall into one place
    let seed = RandomState::new().build_hasher().finish() | 1;
    let mut hashes: Vec<u64> = Vec::new();
    for (place, &row) in rows.iter().enumerate() {
        fetch_ahead(scan, data, fields, rows, place);
        let hash = hash_of(scan, data, fields, row as usize, seed);
        let mut slot = (hash >> 20) as usize & mask;
        let code = loop {
            match table[slot] {
                0 => {
                    firsts[hashes.len()] = place as i64;
                    hashes.push(hash);
                    table[slot] = hashes.len() as u32;
                    break hashes.len() - 1;
                }
                known => {
                    let code = known as usize - 1;
                    let first = rows[firsts[code] as usize] as usize;
                    if hashes[code] == hash && is_equal(scan, data, fields, row as usize, first) {
                        break code;
                    }
                    slot = (slot + 1) & mask;
                }
            }
        };
        out[place] = code as i32;
    }
    hashes.len()
}

/// Has the memory fetched that is looked at a few rows later: in a large text each row waits for it otherwise.
#[inline]
pub fn fetch_ahead(scan: &Scan, data: &[u8], fields: &[u32], rows: &[i64], place: usize) {
    if let Some(&row) = rows.get(place + 2 * ROWS_AHEAD) {
        for &field in fields.iter().step_by(FIELDS_IN_A_LINE) {
            fetch(scan.span_at(row as usize, field as usize));
        }
    }
    if let Some(&row) = rows.get(place + ROWS_AHEAD) {
        for &field in fields {
            let span = scan.span(row as usize, field as usize);
            if span.kind != ABSENT {
                fetch_text(data, span.start, span.end);
            }
        }
    }
}

/// Fetches the beginning of a text; the processor goes on by itself in a longer one.
#[inline]
pub fn fetch_text(data: &[u8], start: u32, end: u32) {
    for at in (start..end).step_by(LINE).take(LINES) {
        fetch(&data[at as usize]);
    }
}

#[cfg(target_arch = "x86_64")]
fn fetch<T>(at: &T) {
    use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
    // SAFETY: every x86_64 has SSE, and a prefetch reads nothing.
    unsafe { _mm_prefetch((at as *const T).cast(), _MM_HINT_T0) }
}

#[cfg(not(target_arch = "x86_64"))]
fn fetch<T>(_: &T) {}

fn is_equal(scan: &Scan, data: &[u8], fields: &[u32], one: usize, other: usize) -> bool {
    fields.iter().all(|&field| {
        let (a, b) = (scan.span(one, field as usize), scan.span(other, field as usize));
        let is_alike = a.kind == b.kind && a.end - a.start == b.end - b.start;
        // what stands around records is the same text for many of them
        is_alike
            && (a.start == b.start || data[a.start as usize..a.end as usize] == data[b.start as usize..b.end as usize])
    })
}

fn hash_of(scan: &Scan, data: &[u8], fields: &[u32], row: usize, seed: u64) -> u64 {
    fields.iter().fold(seed, |hash, &field| {
        let span = scan.span(row, field as usize);
        if span.kind == ABSENT {
            return hash; // of many fields most are not there
        }
        let text = &data[span.start as usize..span.end as usize];
        let head = (field as u64) << 40 | (text.len() as u64) << 4 | span.kind as u64;
        hash_text(text, mix(hash, head, seed), seed)
    })
}

pub fn hash_text(text: &[u8], hash: u64, seed: u64) -> u64 {
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let mut blocks = text.chunks_exact(32);
    // four at a time: each waits for its own one only
    let mut hashes = [hash, !hash, hash.rotate_left(17), hash.rotate_left(43)];
    for block in &mut blocks {
        for (hash, bytes) in hashes.iter_mut().zip(block.chunks_exact(8)) {
            *hash = mix(*hash, word(bytes), seed);
        }
    }
    let mut hash = if text.len() < 32 {
        hash
    } else {
        hashes
            .into_iter()
            .reduce(|one, other| mix(one, other, seed))
            .expect("four")
    };
    let mut words = blocks.remainder().chunks_exact(8);
    for bytes in &mut words {
        hash = mix(hash, word(bytes), seed);
    }
    let rest = words
        .remainder()
        .iter()
        .fold(0u64, |word, &byte| word << 8 | byte as u64);
    mix(hash, rest, seed)
}

fn mix(hash: u64, word: u64, seed: u64) -> u64 {
    let product = ((hash ^ word) as u128).wrapping_mul((seed ^ 0x9e37_79b9_7f4a_7c15) as u128 | 1);
    (product as u64) ^ (product >> 64) as u64 ^ word.rotate_left(32)
}

/// Appends a plainly written JSON text with the members of every object sorted by name.
pub fn sort_text(text: &[u8], out: &mut Vec<u8>) {
    sort_value(text, 0, out);
}

/// Writes the value that starts at `start` of plainly written JSON; returns where it ends.
fn sort_value(text: &[u8], start: usize, out: &mut Vec<u8>) -> usize {
    match text[start] {
        b'{' => sort_object(text, start, out),
        b'[' => {
            out.push(b'[');
            let mut at = start + 1;
            while text[at] != b']' {
                at = sort_value(text, at, out);
                if text[at] == b',' {
                    out.push(b',');
                    at += 1;
                }
            }
            out.push(b']');
            at + 1
        }
        b'"' => {
            let end = string_end(text, start);
            out.extend_from_slice(&text[start..end]);
            end
        }
        _ => {
            let length = text[start..].iter().position(|byte| matches!(byte, b',' | b'}' | b']'));
            let end = length.map_or(text.len(), |length| start + length);
            out.extend_from_slice(&text[start..end]);
            end
        }
    }
}

fn sort_object(text: &[u8], start: usize, out: &mut Vec<u8>) -> usize {
    let mut members: Vec<(&[u8], Vec<u8>)> = Vec::new();
    let mut at = start + 1;
    while text[at] != b'}' {
        let name_end = string_end(text, at);
        let mut value = Vec::new();
        let name = &text[at..name_end];
        at = sort_value(text, name_end + 1, &mut value);
        members.push((name, value));
        if text[at] == b',' {
            at += 1;
        }
    }
    // without the quotes: "a" stands before "a b", though a blank is less than a quote
    members.sort_by(|(one, _), (other, _)| one[1..one.len() - 1].cmp(&other[1..other.len() - 1]));
    out.push(b'{');
    for (place, (name, value)) in members.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
    at + 1
}

/// Behind the closing quote of the string that starts at `start`.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// What is in a field that is JSON written inside of a string: appends its text without white space between the words,
/// and returns its kind. STRING for any other string, which stays as it is written; None where only Python can say.
pub fn inner_json(scan: &Scan, data: &[u8], layout: &Layout, field: usize, row: i64, out: &mut Vec<u8>) -> Option<u8> {
    let kind = scan.span(row as usize, field).kind;
    let text = text_of(scan, data, field, row);
    if !matches!(kind, STRING | ESCAPED) || !matches!(text.first(), Some(b'{' | b'[')) {
        out.extend_from_slice(text);
        return Some(if kind == ESCAPED { STRING } else { kind });
    }
    let text = unescaped(text)?;
    if !is_plain(&text, layout) {
        return None;
    }
    let (mut at, mut in_string) = (0, false);
    while at < text.len() {
        match text[at] {
            b'"' => in_string = !in_string,
            b'\\' => {
                out.push(b'\\');
                at += 1;
            }
            _ => {}
        }
        if in_string || !text[at].is_ascii_whitespace() {
            out.push(text[at]);
        }
        at += 1;
    }
    Some(if text[0] == b'{' { OBJECT } else { ARRAY })
}

/// The text that is written with escapes; None where one is other than we write.
pub fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let mut byte = text[at];
        if byte == b'\\' {
            at += 1;
            byte = match text.get(at)? {
                b'"' => b'"',
                b'\\' => b'\\',
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                _ => return None,
            };
        }
        out.push(byte);
        at += 1;
    }
    Some(out)
}
