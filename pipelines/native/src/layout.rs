//! What is looked for in the records of a source: fields, wrapping arrays, names of secrets, limits.

/// A name on the way to wanted fields. A node is an index into `Layout::nodes`; 0 is the record itself.
pub struct Node {
    pub children: Vec<(Box<[u8]>, usize)>,
    pub field: Option<usize>,
}

impl Node {
    pub fn child(&self, name: &[u8]) -> Option<usize> {
        self.children.iter().find(|(known, _)| **known == *name).map(|(_, node)| *node)
    }
}

pub struct Layout {
    pub nodes: Vec<Node>,
    pub n_fields: usize,
    pub arrays: Vec<Vec<u8>>,
    pub secrets: Secrets,
    pub max_record_bytes: usize,
    pub max_depth: usize,
}

const UNIT: char = '\u{1f}';
const GROUP: char = '\u{1d}';

impl Layout {
    /// `text` holds three groups of names: dotted paths, arrays, secrets. None where it does not.
    pub fn parse(text: &str, max_record_bytes: usize, max_depth: usize) -> Option<Layout> {
        let mut groups = text.split(GROUP).map(names_of);
        let (paths, arrays, secrets) = (groups.next()?, groups.next()?, groups.next()?);
        let mut layout = Layout {
            nodes: vec![Node { children: Vec::new(), field: None }],
            n_fields: paths.len(),
            arrays: arrays.iter().map(|name| name.as_bytes().to_vec()).collect(),
            secrets: Secrets::new(&secrets),
            max_record_bytes,
            max_depth,
        };
        for (field, path) in paths.iter().enumerate() {
            layout.add(path, field);
        }
        Some(layout)
    }

    fn add(&mut self, path: &str, field: usize) {
        let mut at = 0;
        for name in path.split('.') {
            at = match self.nodes[at].child(name.as_bytes()) {
                Some(node) => node,
                None => {
                    self.nodes.push(Node { children: Vec::new(), field: None });
                    let node = self.nodes.len() - 1;
                    self.nodes[at].children.push((name.as_bytes().into(), node));
                    node
                }
            };
        }
        self.nodes[at].field = Some(field);
    }
}

fn names_of(group: &str) -> Vec<&str> {
    group.split(UNIT).filter(|name| !name.is_empty()).collect()
}

/// Names of fields that hold secrets, ASCII in lower case.
pub struct Secrets {
    names: Vec<Vec<u8>>,
    longest: usize,
    /// Whether some name ends in these two bytes: most strings are told apart by their end.
    ends: Vec<bool>,
}

fn end_of(first: u8, second: u8) -> usize {
    (first.to_ascii_lowercase() as usize) << 8 | second.to_ascii_lowercase() as usize
}

impl Secrets {
    fn new(names: &[&str]) -> Secrets {
        let mut sorted: Vec<Vec<u8>> = names.iter().map(|name| name.to_ascii_lowercase().into_bytes()).collect();
        sorted.sort();
        let mut ends = vec![false; 1 << 16];
        for name in &sorted {
            match name.as_slice() {
                [.., first, second] => ends[end_of(*first, *second)] = true,
                [only] => (0..=255u8).for_each(|first| ends[end_of(first, *only)] = true),
                [] => {}
            }
        }
        let longest = sorted.iter().map(Vec::len).max().unwrap_or(0);
        Secrets { names: sorted, longest, ends }
    }

    /// Whether the text that ends at a quote may end in a secret's name, behind a quote or a dot: what the search in
    /// `reading.redaction` would find. `before` is everything in front of that quote.
    pub fn may_end(&self, before: &[u8]) -> bool {
        let mut end = before.len();
        if end < 2 {
            return false;
        }
        while end > 2 && before[end - 1] == b'\\' {
            end -= 1;
        }
        let (first, second) = (before[end - 2], before[end - 1]);
        // beyond ASCII, letters may be the same without case (the Kelvin sign is a k): Python shall look
        if !self.ends[end_of(first, second)] && first < 0x80 && second < 0x80 {
            return false;
        }
        let start = end.saturating_sub(3 * self.longest + 1);
        let Some(delimiter) = before[start..end].iter().rposition(|&byte| byte == b'"' || byte == b'.') else {
            return false;
        };
        let name = &before[start + delimiter + 1..end];
        if !name.is_ascii() {
            return true;
        }
        let name = name.to_ascii_lowercase();
        self.names.binary_search(&name).is_ok()
    }
}
