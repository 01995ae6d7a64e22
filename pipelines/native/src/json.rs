//! One pass over a JSON text of many records: where each is, whether it is written plainly, where its wanted fields are.
//!
//! Strict: what is not valid JSON in one of the plain forms (one array of objects, perhaps wrapped; or one object a line)
//! is declined as a whole, and Python's readers look at it. So nothing here has to guess.

use crate::layout::{name_hash, Ending, Layout, PAIR, RECORD};

pub const ABSENT: u8 = 0;
pub const STRING: u8 = 1;
pub const NUMBER: u8 = 2;
pub const TRUE: u8 = 3;
pub const FALSE: u8 = 4;
pub const NULL: u8 = 5;
pub const OBJECT: u8 = 6;
pub const ARRAY: u8 = 7;
/// A string with escapes, as it stands between its quotes.
pub const ESCAPED: u8 = 8;

/// Not as we would write the decoded record, or it could be understood in two ways: Python shall read it.
pub const IS_ODD: u8 = 1;
/// A secret may be where only Python finds it: what is kept of the record is redacted there.
pub const IS_SUSPECT: u8 = 2;
/// There is white space between the words of the record; else it is as IS_ODD.
pub const IS_SPACED: u8 = 4;

/// Deeper documents are declined, so that no text makes this code use up the stack.
const MAX_NESTING: usize = 200;
/// Beyond this number of members an object is odd: each name is compared with those before it.
const MAX_MEMBERS: usize = 512;
/// Bytes that the fields of records may take: so many, and for each of the texts. Tiny records would take hundreds of
/// times their own size.
const SPANS_FREE: usize = 1 << 20;
const SPANS_A_BYTE: usize = 4;
const MAX_DIGITS: usize = 15;
const MAX_INTEGER_DIGITS: usize = 18;

#[derive(Clone, Copy)]
pub struct Span {
    pub start: u32,
    pub end: u32,
    pub kind: u8,
}

pub const NOTHING: Span = Span {
    start: 0,
    end: 0,
    kind: ABSENT,
};

/// What stands around a record, by its number in `Scan::around`.
#[derive(Clone, Copy)]
pub struct Around {
    pub nesting: usize,
    /// Start and end of two objects; empty where they are not there.
    pub outer: (u32, u32),
    pub inner: (u32, u32),
}

#[derive(Default)]
pub struct Scan {
    pub n_fields: usize,
    /// How many records each text holds; DECLINED where it is not plain.
    pub counts: Vec<i64>,
    /// Start and end of each record.
    pub records: Vec<(u32, u32)>,
    pub flags: Vec<u8>,
    /// Where each record's line starts, or the record itself in an array; and what stands around it, if anything does.
    pub lines: Vec<u32>,
    pub arounds: Vec<u32>,
    pub around: Vec<Around>,
    /// `n_fields` of each record.
    pub spans: Vec<Span>,
    /// Start and end of plain strings that are secrets, in their order, and how many there are up to each record.
    pub secrets: Vec<(u32, u32)>,
    pub secrets_until: Vec<u32>,
}

impl Scan {
    pub fn span(&self, row: usize, field: usize) -> Span {
        *self.span_at(row, field)
    }

    pub fn span_at(&self, row: usize, field: usize) -> &Span {
        &self.spans[row * self.n_fields + field]
    }

    pub fn secrets_of(&self, row: usize) -> &[(u32, u32)] {
        let first = row.checked_sub(1).map_or(0, |before| self.secrets_until[before]);
        &self.secrets[first as usize..self.secrets_until[row] as usize]
    }

    fn forget(&mut self, n_records: usize) {
        self.records.truncate(n_records);
        self.flags.truncate(n_records);
        self.lines.truncate(n_records);
        self.arounds.truncate(n_records);
        self.spans.truncate(n_records * self.n_fields);
        self.secrets_until.truncate(n_records);
        self.secrets
            .truncate(self.secrets_until.last().map_or(0, |&until| until as usize));
    }
}

pub const DECLINED: i64 = -1;

/// Why a text is declined does not matter: Python finds out.
pub(crate) struct Declined;

pub(crate) type Step<T> = Result<T, Declined>;

/// The records of some texts that lie in `data` one behind the other, each up to one of `ends`.
pub fn scan(data: &[u8], ends: &[i64], layout: &Layout) -> Scan {
    let mut scan = Scan {
        n_fields: layout.n_fields,
        ..Scan::default()
    };
    let mut start = 0;
    for &end in ends {
        let end = end as usize;
        let before = scan.records.len();
        let mut scanner = Scanner::new(&data[..end], layout, &mut scan);
        let is_plain = end <= u32::MAX as usize && scanner.document(start).is_ok();
        if !is_plain {
            scan.forget(before);
        }
        scan.counts.push(if is_plain {
            (scan.records.len() - before) as i64
        } else {
            DECLINED
        });
        start = end;
    }
    scan
}

/// Whether `text` is one JSON value without anything odd but white space; nothing of it is kept.
pub fn is_plain(text: &[u8], layout: &Layout) -> bool {
    let mut scan = Scan::default();
    let (names, fields) = (Vec::new(), Vec::new()); // no field is wanted here
    let mut scanner = Scanner {
        data: text,
        layout,
        scan: &mut scan,
        names,
        flags: 0,
        fields,
        line: 0,
    };
    let end = scanner.value(0, None, 1);
    end.is_ok_and(|end| scanner.blank(end) == text.len()) && scanner.flags & IS_ODD == 0
}

pub(crate) struct Scanner<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) layout: &'a Layout,
    pub(crate) scan: &'a mut Scan,
    /// Of the names in the objects that are open: a hash, where it starts, its length.
    names: Vec<(u64, u32, u32)>,
    pub(crate) flags: u8,
    /// The wanted fields of the record that is read, and the two of a pair.
    pub(crate) fields: Vec<Span>,
    pub(crate) line: usize,
}

impl<'a> Scanner<'a> {
    fn new(data: &'a [u8], layout: &'a Layout, scan: &'a mut Scan) -> Scanner<'a> {
        let fields = vec![NOTHING; layout.n_fields + 2];
        Scanner {
            data,
            layout,
            scan,
            names: Vec::new(),
            flags: 0,
            fields,
            line: 0,
        }
    }

    pub(crate) fn at(&self, position: usize) -> u8 {
        // NUL is no JSON outside of strings and refused inside of them, so it can stand for the end
        self.data.get(position).copied().unwrap_or(0)
    }

    pub(crate) fn blank(&mut self, mut position: usize) -> usize {
        while matches!(self.at(position), b' ' | b'\t' | b'\n' | b'\r') {
            position += 1;
            self.flags |= IS_SPACED;
        }
        position
    }

    pub(crate) fn expect(&self, position: usize, byte: u8) -> Step<usize> {
        if self.at(position) == byte {
            Ok(position + 1)
        } else {
            Err(Declined)
        }
    }

    fn document(&mut self, start: usize) -> Step<()> {
        let start = self.blank(start);
        if start == self.data.len() {
            return Ok(());
        }
        if !self.layout.nestings.is_empty() {
            return self.lines(start, Scanner::export);
        }
        if self.at(start) == b'[' {
            let end = self.elements(start + 1)?;
            return self.nothing_more(end);
        }
        let name_at = self.expect(start, b'{')?;
        if self.at(name_at) == b'"' {
            let (end, ..) = self.string(name_at + 1)?;
            let is_array = self
                .layout
                .arrays
                .iter()
                .any(|name| **name == self.data[name_at + 1..end - 1]);
            if is_array && self.data[end..].starts_with(b":[") {
                let end = self.elements(end + 2)?;
                let end = self.expect(end, b'}')?;
                return self.nothing_more(end);
            }
        }
        self.lines(start, Scanner::record)
    }

    fn nothing_more(&mut self, position: usize) -> Step<()> {
        let end = self.blank(position);
        if end == self.data.len() {
            Ok(())
        } else {
            Err(Declined)
        }
    }

    /// Objects up to the end of their array.
    fn elements(&mut self, mut position: usize) -> Step<usize> {
        position = self.blank(position);
        if self.at(position) == b']' {
            return Ok(position + 1);
        }
        loop {
            let end = self.record(position)?;
            position = self.blank(end);
            match self.at(position) {
                b',' => position = self.blank(position + 1),
                b']' => return Ok(position + 1),
                _ => return Err(Declined),
            }
        }
    }

    /// One object a line.
    fn lines(&mut self, mut position: usize, read: fn(&mut Self, usize) -> Step<usize>) -> Step<()> {
        while position < self.data.len() {
            self.line = position;
            let end = read(self, position)?;
            if self.data[position..end].contains(&b'\n') {
                return Err(Declined);
            }
            position = self.blank(end);
            if position < self.data.len() && !self.data[end..position].contains(&b'\n') {
                return Err(Declined);
            }
        }
        Ok(())
    }

    fn record(&mut self, start: usize) -> Step<usize> {
        self.fields.fill(NOTHING);
        self.line = start;
        self.record_in(start, 0, 1)
    }

    /// A record inside of something, of which there are `flags`, and fields that count where it has none; so deep in
    /// what it is written into when it stands alone.
    pub(crate) fn record_in(&mut self, start: usize, flags: u8, depth: usize) -> Step<usize> {
        if self.at(start) != b'{' {
            return Err(Declined);
        }
        self.flags = flags;
        let end = self.object(start, Some(RECORD), depth)?;
        if end - start > self.layout.max_record_bytes {
            return Err(Declined);
        }
        self.scan.spans.extend_from_slice(&self.fields[..self.layout.n_fields]);
        if std::mem::size_of_val(&self.scan.spans[..]) > SPANS_FREE + SPANS_A_BYTE * self.data.len() {
            return Err(Declined);
        }
        self.scan.records.push((start as u32, end as u32));
        self.scan.flags.push(self.flags);
        self.scan.lines.push(self.line as u32);
        self.scan.arounds.push(self.scan.around.len() as u32);
        self.scan.secrets_until.push(self.scan.secrets.len() as u32);
        Ok(end)
    }

    /// A value and what is wanted of it; `node` is None where nothing is. Returns where it ends.
    pub(crate) fn value(&mut self, start: usize, node: Option<usize>, depth: usize) -> Step<usize> {
        let byte = self.at(start);
        let (end, kind) = match byte {
            b'"' => {
                let (end, has_escapes, ending) = self.string(start + 1)?;
                if ending != Ending::Nothing {
                    self.flags |= IS_SUSPECT; // `{"key": <name>, "value": ...}` hides what the name says
                }
                if let Some(field) = self.field_of(node) {
                    let kind = self.string_kind(field, has_escapes);
                    self.keep(field, start + 1, end - 1, kind);
                }
                return Ok(end);
            }
            b'{' => (self.object(start, self.members_of(node), depth + 1)?, OBJECT),
            b'[' => (self.array(start, node, depth + 1)?, ARRAY),
            b't' => (self.word(start, b"true")?, TRUE),
            b'f' => (self.word(start, b"false")?, FALSE),
            b'n' => (self.word(start, b"null")?, NULL),
            _ => (self.number(start)?, NUMBER),
        };
        if let Some(field) = self.field_of(node) {
            self.keep(field, start, end, kind);
        }
        Ok(end)
    }

    /// What is wanted of an object's members: nothing where a list was looked for.
    fn members_of(&self, node: Option<usize>) -> Option<usize> {
        node.filter(|&node| !self.layout.nodes[node].is_list)
    }

    fn field_of(&self, node: Option<usize>) -> Option<usize> {
        node.and_then(|node| self.layout.nodes[node].field)
    }

    pub(crate) fn string_kind(&mut self, field: usize, has_escapes: bool) -> u8 {
        if has_escapes && !self.layout.with_escapes[field] {
            self.flags |= IS_ODD;
        }
        if has_escapes {
            ESCAPED
        } else {
            STRING
        }
    }

    pub(crate) fn keep(&mut self, field: usize, start: usize, end: usize, kind: u8) {
        self.fields[field] = Span {
            start: start as u32,
            end: end as u32,
            kind,
        };
    }

    fn word(&self, start: usize, word: &[u8]) -> Step<usize> {
        if self.data[start..].starts_with(word) {
            Ok(start + word.len())
        } else {
            Err(Declined)
        }
    }

    pub(crate) fn object(&mut self, start: usize, node: Option<usize>, depth: usize) -> Step<usize> {
        self.check_depth(depth)?;
        let names_before = self.names.len();
        let mut position = self.blank(start + 1);
        if self.at(position) == b'}' {
            return Ok(position + 1);
        }
        loop {
            let name_at = self.expect(position, b'"')?;
            let (end, has_escapes, ending) = self.string(name_at)?;
            if has_escapes {
                self.flags |= IS_ODD;
            }
            let child = self.member(name_at, end - 1, node, names_before);
            position = self.blank(end);
            position = self.expect(position, b':')?;
            position = self.blank(position);
            if depth == 1 && self.at(position) == b'[' && self.is_wrapping(name_at, end - 1) {
                return Err(Declined);
            }
            let value_at = position;
            position = self.value(position, child, depth)?;
            if ending != Ending::Nothing {
                self.secret(ending, value_at, position);
            }
            position = self.blank(position);
            match self.at(position) {
                b',' => position = self.blank(position + 1),
                b'}' => break,
                _ => return Err(Declined),
            }
        }
        self.names.truncate(names_before);
        Ok(position + 1)
    }

    /// Notes the value of a member whose name is, or may be, a secret's.
    fn secret(&mut self, ending: Ending, start: usize, end: usize) {
        let value = &self.data[start..end];
        match value {
            b"true" | b"false" | b"null" => {}
            [b'"', text @ .., b'"'] if ending == Ending::Name && !text.is_empty() && !text.contains(&b'\\') => {
                if !is_redacted(text) {
                    self.scan.secrets.push((start as u32 + 1, end as u32 - 1));
                }
            }
            _ => self.flags |= IS_SUSPECT,
        }
    }

    fn is_wrapping(&self, start: usize, end: usize) -> bool {
        self.layout.arrays.iter().any(|name| **name == self.data[start..end])
    }

    /// Notes a member's name; returns what is wanted below it. A name that is there twice makes the record odd.
    fn member(&mut self, start: usize, end: usize, node: Option<usize>, names_before: usize) -> Option<usize> {
        let name = &self.data[start..end];
        let hash = name_hash(name);
        let others = &self.names[names_before..];
        let is_same = |other: &(u64, u32, u32)| {
            other.0 == hash && self.data[other.1 as usize..(other.1 + other.2) as usize] == *name
        };
        if others.len() >= MAX_MEMBERS || others.iter().any(is_same) {
            self.flags |= IS_ODD;
        } else {
            self.names.push((hash, start as u32, (end - start) as u32));
        }
        node.and_then(|node| self.layout.nodes[node].child(name, hash))
    }

    pub(crate) fn check_depth(&mut self, depth: usize) -> Step<()> {
        if depth > self.layout.max_depth {
            self.flags |= IS_ODD;
        }
        if depth > MAX_NESTING {
            return Err(Declined);
        }
        Ok(())
    }

    fn array(&mut self, start: usize, node: Option<usize>, depth: usize) -> Step<usize> {
        self.check_depth(depth)?;
        let list = node.filter(|&node| self.layout.nodes[node].is_list);
        let mut position = self.blank(start + 1);
        if self.at(position) == b']' {
            return Ok(position + 1);
        }
        loop {
            position = match list {
                Some(node) if self.at(position) == b'{' => self.pair(position, node, depth)?,
                _ => self.value(position, None, depth)?,
            };
            position = self.blank(position);
            match self.at(position) {
                b',' => position = self.blank(position + 1),
                b']' => return Ok(position + 1),
                _ => return Err(Declined),
            }
        }
    }

    /// One `{"key": ..., "value": ...}`; its value is kept where the key is wanted.
    fn pair(&mut self, start: usize, list: usize, depth: usize) -> Step<usize> {
        let (key_field, value_field) = (self.layout.pair_key(), self.layout.pair_value());
        self.fields[key_field] = NOTHING;
        self.fields[value_field] = NOTHING;
        let end = self.object(start, Some(PAIR), depth + 1)?;
        let key = self.fields[key_field];
        if key.kind == STRING {
            let name = &self.data[key.start as usize..key.end as usize];
            let node = self.layout.nodes[list].child(name, name_hash(name));
            if let Some(field) = self.field_of(node) {
                self.fields[field] = self.any_value(self.fields[value_field], field);
            }
        }
        Ok(end)
    }

    /// An AnyValue of OTLP, `{"stringValue": ...}`: what is in it. Odd where it is no plain value.
    fn any_value(&mut self, value: Span, field: usize) -> Span {
        const NULL_VALUE: Span = Span { kind: NULL, ..NOTHING };
        let whole = &self.data[value.start as usize..value.end as usize];
        if value.kind != OBJECT || whole == b"{}" {
            return NULL_VALUE;
        }
        let inside = &whole[1..whole.len() - 1];
        if let Some((text, mut kind)) = plain_value(inside) {
            // the digits of a number may stand in a string, too
            let quotes = (text[0] == b'"') as u32;
            let end = value.end - 1 - quotes;
            let start = value.end - 1 + quotes - text.len() as u32;
            if kind == STRING {
                kind = self.string_kind(field, text.contains(&b'\\'));
            }
            return Span { start, end, kind };
        }
        self.flags |= IS_ODD;
        NULL_VALUE
    }

    /// From behind the opening quote to behind the closing one, whether there are escapes, and how it ends.
    pub(crate) fn string(&mut self, start: usize) -> Step<(usize, bool, Ending)> {
        let (mut position, mut has_escapes, mut is_ascii) = (start, false, true);
        loop {
            position = next_special(self.data, position);
            match self.at(position) {
                b'"' => break,
                b'\\' => {
                    has_escapes = true;
                    position = self.escape(position)?;
                }
                0x80.. => {
                    is_ascii = false;
                    position += 1;
                }
                _ => return Err(Declined),
            }
        }
        if !is_ascii && std::str::from_utf8(&self.data[start..position]).is_err() {
            return Err(Declined);
        }
        Ok((
            position + 1,
            has_escapes,
            self.layout.secrets.ending(&self.data[..position]),
        ))
    }

    fn escape(&mut self, position: usize) -> Step<usize> {
        match self.at(position + 1) {
            b'"' if self.layout.secrets.ending(&self.data[..position + 1]) == Ending::Nothing => {}
            b'"' => self.flags |= IS_SUSPECT,
            // JSON inside a string may spell a name with escapes of its own
            b'\\' if self.at(position + 2) == b'u' => self.flags |= IS_SUSPECT,
            b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => {}
            b'/' => self.flags |= IS_ODD,
            b'u' => {
                self.flags |= IS_ODD;
                return self.unicode(position + 2);
            }
            _ => return Err(Declined),
        }
        Ok(position + 2)
    }

    /// Four hex digits that are no half of a pair: whether halves fit together is for Python to say.
    fn unicode(&self, start: usize) -> Step<usize> {
        let digits = self.data.get(start..start + 4).ok_or(Declined)?;
        let is_half = matches!(digits[0], b'd' | b'D') && matches!(digits[1], b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F');
        if is_half || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(Declined);
        }
        Ok(start + 4)
    }

    /// A number; odd where decoding and writing might change its digits.
    fn number(&mut self, start: usize) -> Step<usize> {
        let whole_at = start + (self.at(start) == b'-') as usize;
        let whole_end = self.digits(whole_at)?;
        let n_whole = whole_end - whole_at;
        if n_whole > 1 && self.at(whole_at) == b'0' {
            return Err(Declined);
        }
        let mut end = whole_end;
        if self.at(end) == b'.' {
            end = self.digits(end + 1)?;
            self.flags |= odd_fraction(&self.data[whole_at..whole_end], &self.data[whole_end + 1..end]);
        } else if n_whole > MAX_INTEGER_DIGITS || self.data[start..end] == *b"-0" {
            self.flags |= IS_ODD;
        }
        if matches!(self.at(end), b'e' | b'E') {
            self.flags |= IS_ODD;
            let sign = matches!(self.at(end + 1), b'+' | b'-') as usize;
            end = self.digits(end + 1 + sign)?;
        }
        Ok(end)
    }

    fn digits(&self, start: usize) -> Step<usize> {
        let mut end = start;
        while self.at(end).is_ascii_digit() {
            end += 1;
        }
        if end == start {
            return Err(Declined);
        }
        Ok(end)
    }
}

/// The text and the kind of the one plain value in an AnyValue, whose braces are off.
fn plain_value(inside: &[u8]) -> Option<(&[u8], u8)> {
    if let Some(text) = inside.strip_prefix(b"\"stringValue\":") {
        is_one_string(text).then_some((text, STRING))
    } else if let Some(text) = inside.strip_prefix(b"\"intValue\":") {
        is_integer(text).then_some((text, NUMBER))
    } else if let Some(text) = inside.strip_prefix(b"\"doubleValue\":") {
        is_number(text).then_some((text, NUMBER))
    } else {
        match inside.strip_prefix(b"\"boolValue\":")? {
            b"true" => Some((b"true", TRUE)),
            b"false" => Some((b"false", FALSE)),
            _ => None,
        }
    }
}

/// Whether this valid JSON text is a string and nothing behind it.
fn is_one_string(text: &[u8]) -> bool {
    let mut position = 1;
    while text.get(position).is_some_and(|&byte| byte != b'"') {
        position += if text[position] == b'\\' { 2 } else { 1 };
    }
    text.first() == Some(&b'"') && position + 1 == text.len()
}

/// Whether it is a number that is not negative, or its digits in a string; as it is written without more.
fn is_integer(text: &[u8]) -> bool {
    let digits = text
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""))
        .unwrap_or(text);
    let is_short = (1..=MAX_INTEGER_DIGITS).contains(&digits.len());
    is_short && digits.iter().all(u8::is_ascii_digit) && (digits[0] != b'0' || digits.len() == 1)
}

fn is_number(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'))
}

/// What redaction leaves as it is.
fn is_redacted(text: &[u8]) -> bool {
    let is_lower_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(b"redacted:")
        .is_some_and(|hash| hash.len() == 16 && hash.iter().all(is_lower_hex))
}

/// IS_ODD for a decimal fraction that its shortest writing may not repeat. Up to 15 digits a double gives them back.
fn odd_fraction(whole: &[u8], fraction: &[u8]) -> u8 {
    let is_short = whole.len() + fraction.len() <= MAX_DIGITS;
    let is_trimmed = fraction == b"0" || fraction.last() != Some(&b'0');
    let is_large_enough = whole != b"0" || fraction == b"0" || fraction.iter().take(4).any(|&digit| digit != b'0');
    if is_short && is_trimmed && is_large_enough {
        0
    } else {
        IS_ODD
    }
}

/// The next byte of a string that is not plain ASCII text: a quote, a backslash, a control character, a byte above 0x7f.
#[cfg(target_arch = "x86_64")]
pub(crate) fn next_special(data: &[u8], mut position: usize) -> usize {
    use std::arch::x86_64::*;
    while let Some(chunk) = data.get(position..position + 16) {
        // SAFETY: every x86_64 has SSE2, and the chunk holds the 16 bytes that are loaded.
        let found = unsafe {
            let chunk = _mm_loadu_si128(chunk.as_ptr().cast());
            // as signed bytes, those above 0x7f are less than a blank, too
            let below = _mm_cmplt_epi8(chunk, _mm_set1_epi8(b' ' as i8));
            let quotes = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'"' as i8));
            let backslashes = _mm_cmpeq_epi8(chunk, _mm_set1_epi8(b'\\' as i8));
            _mm_movemask_epi8(_mm_or_si128(below, _mm_or_si128(quotes, backslashes)))
        };
        if found != 0 {
            return position + found.trailing_zeros() as usize;
        }
        position += 16;
    }
    next_special_bytewise(data, position)
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn next_special(data: &[u8], position: usize) -> usize {
    next_special_bytewise(data, position)
}

fn next_special_bytewise(data: &[u8], mut position: usize) -> usize {
    while position < data.len() && !matches!(data[position], b'"' | b'\\' | 0..=0x1f | 0x80..) {
        position += 1;
    }
    position
}
