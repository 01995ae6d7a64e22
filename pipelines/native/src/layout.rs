//! What is looked for in the records of a source: fields, wrapping arrays, names of secrets, limits.

/// The record itself, what stands around it, and one `{"key": ..., "value": ...}` of a list: as indices into
/// `Layout::nodes`.
pub const RECORD: usize = 0;
pub const AROUND: usize = 1;
pub const PAIR: usize = 2;

/// A name on the way to wanted fields.
#[derive(Default)]
pub struct Node {
    children: Vec<Child>,
    /// Their numbers + 1 by hash, 0 where none is; at most half of the places are taken.
    table: Vec<u16>,
    pub field: Option<usize>,
    /// Whether the children are keys of such a list.
    pub is_list: bool,
}

struct Child {
    hash: u64,
    name: Box<[u8]>,
    node: usize,
}

impl Node {
    /// The node below this one, for a name and its `name_hash`.
    pub fn child(&self, name: &[u8], hash: u64) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        let mask = self.table.len() - 1;
        let mut slot = (hash >> 40) as usize & mask;
        while let Some(number) = self.table[slot].checked_sub(1) {
            let child = &self.children[number as usize];
            if child.hash == hash && *child.name == *name {
                return Some(child.node);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    fn add(&mut self, name: &[u8], hash: u64, node: usize) {
        let name = name.into();
        self.children.push(Child { hash, name, node });
        self.table = vec![0; (self.children.len() * 2).next_power_of_two().max(8)];
        let mask = self.table.len() - 1;
        for (number, child) in self.children.iter().enumerate() {
            let mut slot = (child.hash >> 40) as usize & mask;
            while self.table[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.table[slot] = number as u16 + 1;
        }
    }
}

/// Different for most different names.
pub fn name_hash(name: &[u8]) -> u64 {
    let n = name.len();
    let word = |at: usize| u64::from_le_bytes(name[at..at + 8].try_into().expect("eight bytes"));
    let (first, last) = match n {
        8.. => (word(0), word(n - 8)),
        _ => (name.iter().fold(0u64, |word, &byte| word << 8 | byte as u64), 0),
    };
    (first ^ last.rotate_left(23))
        .wrapping_add(n as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub struct Layout {
    pub nodes: Vec<Node>,
    pub n_fields: usize,
    /// Of each field whether it is wanted also where it is a string with escapes.
    pub with_escapes: Vec<bool>,
    pub arrays: Vec<Vec<u8>>,
    /// Where records lie inside of others: the names of three arrays, each in the elements of the one before.
    pub nestings: Vec<[Vec<u8>; 3]>,
    pub secrets: Secrets,
    pub max_record_bytes: usize,
    pub max_depth: usize,
}

const UNIT: char = '\u{1f}';
const GROUP: char = '\u{1d}';

impl Layout {
    /// `text` holds four groups of names: fields, arrays, secrets, nestings. None where it does not.
    ///
    /// A field is a dotted path, `attributes/<key>` for one in a list of pairs, `~` before it where it is wanted with
    /// escapes, too. A nesting has three names between dots.
    pub fn parse(text: &str, max_record_bytes: usize, max_depth: usize) -> Option<Layout> {
        let mut groups = text.split(GROUP).map(names_of);
        let (fields, arrays) = (groups.next()?, groups.next()?);
        let (secrets, nestings) = (groups.next()?, groups.next()?);
        let mut layout = Layout {
            nodes: vec![Node::default(), Node::default(), Node::default()],
            n_fields: fields.len(),
            with_escapes: fields.iter().map(|field| field.starts_with('~')).collect(),
            arrays: arrays.iter().map(|name| name.as_bytes().to_vec()).collect(),
            nestings: nestings.iter().map(|names| nesting_of(names)).collect::<Option<_>>()?,
            secrets: Secrets::new(&secrets),
            max_record_bytes,
            max_depth,
        };
        for (number, field) in fields.iter().enumerate() {
            layout.add(field.trim_start_matches('~'), number);
        }
        layout.with_escapes.extend([false, false]);
        for (name, field) in [("key", layout.pair_key()), ("value", layout.pair_value())] {
            let node = layout.below(PAIR, name);
            layout.nodes[node].field = Some(field);
        }
        Some(layout)
    }

    /// Two more fields than are wanted: of the pair that was read last.
    pub fn pair_key(&self) -> usize {
        self.n_fields
    }

    pub fn pair_value(&self) -> usize {
        self.n_fields + 1
    }

    fn add(&mut self, field: &str, number: usize) {
        let (path, key) = field
            .split_once('/')
            .map_or((field, None), |(path, key)| (path, Some(key)));
        let mut at = RECORD;
        for name in path.split('.') {
            at = self.below(at, name);
        }
        if let Some(key) = key {
            self.nodes[at].is_list = true;
            self.share_around(path, at);
            at = self.below(at, key);
        }
        self.nodes[at].field = Some(number);
    }

    /// A list of pairs counts also where it stands around the record.
    fn share_around(&mut self, name: &str, node: usize) {
        let (name, hash) = (name.as_bytes(), name_hash(name.as_bytes()));
        if self.nodes[AROUND].child(name, hash).is_none() {
            self.nodes[AROUND].add(name, hash, node);
        }
    }

    /// The node for a name below another; made where there is none.
    fn below(&mut self, at: usize, name: &str) -> usize {
        let (name, hash) = (name.as_bytes(), name_hash(name.as_bytes()));
        if let Some(node) = self.nodes[at].child(name, hash) {
            return node;
        }
        self.nodes.push(Node::default());
        let node = self.nodes.len() - 1;
        self.nodes[at].add(name, hash, node);
        node
    }
}

fn nesting_of(names: &str) -> Option<[Vec<u8>; 3]> {
    let names: Vec<Vec<u8>> = names.split('.').map(|name| name.as_bytes().to_vec()).collect();
    names.try_into().ok()
}

fn names_of(group: &str) -> Vec<&str> {
    group.split(UNIT).filter(|name| !name.is_empty()).collect()
}

/// Names of fields that hold secrets, ASCII in lower case.
pub struct Secrets {
    names: Vec<Vec<u8>>,
    longest: usize,
    /// A bit for some ends, set where a name has it: most strings are told apart by theirs.
    ends: Box<[u64; END_BITS / 64]>,
}

/// What the end of a string says.
#[derive(Clone, Copy, PartialEq)]
pub enum Ending {
    Nothing,
    /// A secret's name.
    Name,
    /// Perhaps one, in letters that Python has to look at.
    Unsure,
}

const END_BYTES: usize = 4;
const END_BITS: usize = 1 << 13;

/// Where the bit for an end is, which is the same in upper and lower case.
#[inline(always)]
fn end_of(end: [u8; END_BYTES]) -> (usize, u64) {
    let number = u32::from_le_bytes(end) | 0x20_20_20_20;
    let bit = (number.wrapping_mul(0x9e37_79b1) >> 15) as usize & (END_BITS - 1);
    (bit / 64, 1 << (bit % 64))
}

impl Secrets {
    fn new(names: &[&str]) -> Secrets {
        let mut sorted: Vec<Vec<u8>> = names
            .iter()
            .map(|name| name.to_ascii_lowercase().into_bytes())
            .collect();
        sorted.sort();
        let mut ends = Box::new([0u64; END_BITS / 64]);
        for name in &sorted {
            for before in [b'"', b'.'] {
                match [&[before], &name[..]].concat().last_chunk() {
                    Some(&end) => {
                        let (word, bit) = end_of(end);
                        ends[word] |= bit;
                    }
                    None => ends.fill(u64::MAX),
                }
            }
        }
        let longest = sorted.iter().map(Vec::len).max().unwrap_or(0);
        Secrets {
            names: sorted,
            longest,
            ends,
        }
    }

    /// Whether JSON text may name a secret, or hides names behind escapes of a string in a string: as the search in
    /// `reading.redaction`, but that it also says so of letters that only Python can compare.
    pub fn may_be_in(&self, text: &[u8]) -> bool {
        let is_suspect = |place: usize| match text[place] {
            b'"' => self.ending(&text[..place]) != Ending::Nothing,
            _ => text[place..].starts_with(br"\\u"),
        };
        (0..text.len()).any(|place| matches!(text[place], b'"' | b'\\') && is_suspect(place))
    }

    /// How the text ends that ends at a quote: whether in a secret's name, behind a quote or a dot, as the search in
    /// `reading.redaction` would find it. `before` is everything in front of that quote.
    #[inline(always)]
    pub fn ending(&self, before: &[u8]) -> Ending {
        match before.last_chunk() {
            Some(&last) if last[END_BYTES - 1] != b'\\' && !self.may_end(last) => Ending::Nothing,
            _ => self.ending_looked_at(before),
        }
    }

    #[inline(always)]
    fn may_end(&self, last: [u8; END_BYTES]) -> bool {
        let (word, bit) = end_of(last);
        self.ends[word] & bit != 0 || !last.is_ascii()
    }

    #[inline(never)]
    fn ending_looked_at(&self, before: &[u8]) -> Ending {
        let mut end = before.len();
        while end > END_BYTES && before[end - 1] == b'\\' {
            end -= 1;
        }
        match before[..end].last_chunk() {
            Some(&last) if self.may_end(last) => {}
            _ => return Ending::Nothing,
        }
        let furthest = end.saturating_sub(self.longest + 1);
        for start in (furthest..end).rev() {
            match before[start] {
                b'"' | b'.' => return self.name(&before[start + 1..end]),
                // beyond ASCII, letters may be the same without case (the Kelvin sign is a k)
                0x80.. => return Ending::Unsure,
                _ => {}
            }
        }
        Ending::Nothing
    }

    fn name(&self, text: &[u8]) -> Ending {
        let is_known = self.names.binary_search(&text.to_ascii_lowercase()).is_ok();
        if is_known {
            Ending::Name
        } else {
            Ending::Nothing
        }
    }
}
