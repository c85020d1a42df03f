//! Where things stand in a YAML document: field path → line and column.
//!
//! The text of one document in, a tree of places out. Values are read elsewhere; a document this cannot follow has no
//! places, never an error.

use std::collections::HashMap;
use std::fmt;

use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle};

use super::yaml::{Chunk, bounded};

/// The deepest nesting that is read; no source comes near it, and readers get slow beyond.
pub(crate) const MAX_DEPTH: usize = 100;

/// Line and column of a file, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// The places of one document. It holds the document's text, which may be a Secret's, so it has no `Debug` of use.
#[derive(Clone)]
pub(crate) struct Positions {
    /// The file's lines from the document's first on.
    lines: Vec<String>,
    first_line: u32,
    nodes: Vec<Node>,
    too_deep: Option<Position>,
    anchor: Option<Position>,
}

#[derive(Clone)]
struct Node {
    at: Position,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Scalar { style: ScalarStyle, text: String },
    Map(Vec<Entry>),
    List(Vec<usize>),
}

#[derive(Clone)]
struct Entry {
    key: String,
    at: Position,
    value: usize,
}

/// A key that stands twice in one mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Duplicate {
    pub(crate) key: String,
    pub(crate) first: Position,
    pub(crate) second: Position,
}

impl fmt::Debug for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Positions")
            .field("first_line", &self.first_line)
            .finish_non_exhaustive()
    }
}

impl Positions {
    pub(crate) fn of(chunk: Chunk<'_>) -> Self {
        let mut nodes = Builder::new(chunk.first_line);
        let mut too_deep = None;
        for event in Parser::new_from_str(chunk.text) {
            let Ok((event, span)) = event else { break };
            nodes.take(event, span.start);
            if nodes.open.len() > MAX_DEPTH {
                too_deep = Some(nodes.place(span.start));
                break;
            }
        }
        Self {
            lines: chunk.text.lines().map(str::to_owned).collect(),
            first_line: chunk.first_line,
            anchor: nodes.anchor,
            nodes: nodes.nodes,
            too_deep,
        }
    }

    /// Where the document is nested too deep to be read, if it is.
    pub(crate) fn too_deep(&self) -> Option<Position> {
        self.too_deep
    }

    /// Where the first anchor or alias stands, if there is one.
    pub(crate) fn anchor(&self) -> Option<Position> {
        self.anchor
    }

    /// The place of a field: its key, or the start of a list's element; of the nearest parent where there is no such field.
    pub(crate) fn locate(&self, field: &str) -> Position {
        self.find(field).0
    }

    /// Whether exactly this field is there.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.find(field).1.is_some()
    }

    /// The place of a line and column (both from 1) inside the text of a field.
    pub(crate) fn locate_inside(&self, field: &str, line: u32, column: u32) -> Position {
        let (start, node) = self.find(field);
        let Some(Node {
            at,
            content: Content::Scalar { style, text },
        }) = node.and_then(|node| self.nodes.get(node))
        else {
            return start;
        };
        match style {
            ScalarStyle::Literal => in_block(*at, text, line, column),
            ScalarStyle::Plain if line == 1 => Position {
                column: at.column + column - 1,
                ..*at
            },
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if line == 1 => {
                self.in_quotes(*at, *style, column).unwrap_or(*at)
            }
            _ => *at,
        }
    }

    /// Plain scalars that YAML 1.1, and with it `kubectl`, reads as booleans though they are text here.
    pub(crate) fn ambiguous_booleans(&self) -> Vec<(Position, &str)> {
        const WORDS: [&str; 6] = ["y", "yes", "on", "n", "no", "off"];
        self.nodes
            .iter()
            .filter_map(|node| match &node.content {
                Content::Scalar {
                    style: ScalarStyle::Plain,
                    text,
                } if WORDS.contains(&text.to_ascii_lowercase().as_str()) && !is_mixed_case(text) => {
                    Some((node.at, text.as_str()))
                }
                _ => None,
            })
            .collect()
    }

    /// Every key that stands twice in its mapping.
    pub(crate) fn duplicates(&self) -> Vec<Duplicate> {
        let mut found = Vec::new();
        for node in &self.nodes {
            let Content::Map(entries) = &node.content else {
                continue;
            };
            let mut seen: HashMap<&str, Position> = HashMap::new();
            for entry in entries {
                if let Some(first) = seen.insert(&entry.key, entry.at) {
                    found.push(Duplicate {
                        key: entry.key.clone(),
                        first,
                        second: entry.at,
                    });
                }
            }
        }
        found
    }

    /// The place, and the node when the whole path is there.
    fn find(&self, field: &str) -> (Position, Option<usize>) {
        let mut place = Position {
            line: self.first_line,
            column: 1,
        };
        let Some(root) = self.nodes.first() else {
            return (place, None);
        };
        place = root.at;
        let (mut current, mut rest) = (0, field);
        while !rest.is_empty() {
            let Some((at, value, tail)) = self.step(current, rest) else {
                return (place, None);
            };
            (place, current, rest) = (at, value, tail);
        }
        (place, Some(current))
    }

    /// Goes one step down; a key may hold dots, so the longest key that fits is taken.
    fn step<'a>(&self, node: usize, path: &'a str) -> Option<(Position, usize, &'a str)> {
        match &self.nodes.get(node)?.content {
            Content::Scalar { .. } => None,
            Content::List(elements) => {
                let (index, tail) = path.strip_prefix('[')?.split_once(']')?;
                let value = *elements.get(index.parse::<usize>().ok()?)?;
                Some((
                    self.nodes.get(value)?.at,
                    value,
                    tail.strip_prefix('.').unwrap_or(tail),
                ))
            }
            Content::Map(entries) => {
                let own = entries
                    .iter()
                    .filter_map(|entry| Some((entry, tail_after(path, &entry.key)?)))
                    .max_by_key(|(entry, _)| entry.key.len());
                if let Some((entry, tail)) = own {
                    return Some((entry.at, entry.value, tail));
                }
                // What `<<` brings in stands where the anchor stands.
                let merged = entries.iter().find(|entry| entry.key == "<<")?;
                match &self.nodes.get(merged.value)?.content {
                    Content::List(maps) => maps.iter().find_map(|map| self.step(*map, path)),
                    Content::Map(_) if merged.value != node => self.step(merged.value, path),
                    _ => None,
                }
            }
        }
    }

    /// In quotes a character may be written with several.
    fn in_quotes(&self, at: Position, style: ScalarStyle, column: u32) -> Option<Position> {
        let line = self.lines.get(usize::try_from(at.line - self.first_line).ok()?)?;
        let mut raw = line.chars().skip(usize::try_from(at.column).ok()?);
        let mut width = 1;
        for _ in 1..column {
            width += match (raw.next()?, style) {
                ('\\', ScalarStyle::DoubleQuoted) => {
                    let digits = match raw.next()? {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    for _ in 0..digits {
                        raw.next()?;
                    }
                    2 + digits
                }
                ('\'', ScalarStyle::SingleQuoted) => {
                    raw.next()?;
                    2
                }
                _ => 1,
            };
        }
        Some(Position {
            column: at.column + width,
            ..at
        })
    }
}

/// Where a JSON pointer leads inside a JSON or YAML text: the key, or the start of a list's element. `None` where the text
/// has no such place.
pub(crate) fn position_of_pointer(text: &str, pointer: &str) -> Option<Position> {
    let positions = Positions::of(Chunk { first_line: 1, text });
    let root = positions.nodes.first()?;
    let (mut place, mut current) = (root.at, 0);
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        (place, current) = match &positions.nodes.get(current)?.content {
            Content::Scalar { .. } => return None,
            Content::List(elements) => {
                let element = *elements.get(step.parse::<usize>().ok()?)?;
                (positions.nodes.get(element)?.at, element)
            }
            Content::Map(entries) => {
                let entry = entries.iter().find(|entry| entry.key == step)?;
                (entry.at, entry.value)
            }
        };
    }
    Some(place)
}

/// The parser says where the first line that is not blank starts, less the indentation that is no part of the text.
fn in_block(at: Position, text: &str, line: u32, column: u32) -> Position {
    let blank = text.lines().take_while(|line| line.trim().is_empty()).count();
    Position {
        line: (at.line + line - 1).saturating_sub(bounded(blank)),
        column: at.column + column - 1,
    }
}

fn is_mixed_case(text: &str) -> bool {
    let mut rest = text.chars().skip(1);
    let upper = rest.clone().all(|letter| letter.is_ascii_uppercase());
    let lower = rest.all(|letter| letter.is_ascii_lowercase());
    !(lower || upper && text.starts_with(|letter: char| letter.is_ascii_uppercase()))
}

/// What is left of the path after this key, if the path starts with it.
fn tail_after<'a>(path: &'a str, key: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(key)?;
    match rest.chars().next() {
        None | Some('[') => Some(rest),
        Some('.') => Some(&rest[1..]),
        Some(_) => None,
    }
}

/// Makes nodes of the parser's events. Nodes are numbered, so that an alias costs a number and not a copy.
struct Builder {
    first_line: u32,
    nodes: Vec<Node>,
    anchors: HashMap<usize, usize>,
    anchor: Option<Position>,
    open: Vec<Open>,
}

struct Open {
    node: usize,
    key: Option<(String, Position)>,
}

impl Builder {
    fn new(first_line: u32) -> Self {
        Self {
            first_line,
            nodes: Vec::new(),
            anchors: HashMap::new(),
            anchor: None,
            open: Vec::new(),
        }
    }

    fn place(&self, marker: Marker) -> Position {
        Position {
            line: bounded(marker.line()) + self.first_line - 1,
            column: bounded(marker.col()) + 1,
        }
    }

    fn take(&mut self, event: Event<'_>, start: Marker) {
        let at = self.place(start);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let content = Content::Scalar {
                    style,
                    text: text.into_owned(),
                };
                self.add(at, anchor, content);
            }
            Event::Alias(anchor) => {
                self.anchor.get_or_insert(at);
                if let Some(node) = self.anchors.get(&anchor).copied() {
                    self.attach(node, at);
                }
            }
            Event::MappingStart(_, anchor, _) => {
                let node = self.add(at, anchor, Content::Map(Vec::new()));
                self.open.push(Open { node, key: None });
            }
            Event::SequenceStart(_, anchor, _) => {
                let node = self.add(at, anchor, Content::List(Vec::new()));
                self.open.push(Open { node, key: None });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
            }
            _ => {}
        }
    }

    fn add(&mut self, at: Position, anchor: usize, content: Content) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node { at, content });
        if anchor != 0 {
            self.anchor.get_or_insert(at);
            self.anchors.insert(anchor, node);
        }
        self.attach(node, at);
        node
    }

    /// Puts a node into the collection that is open: as an element, a key, or the value of the key before it.
    fn attach(&mut self, node: usize, at: Position) {
        let Some(open) = self.open.last_mut() else { return };
        let key = open.key.take();
        let text = match self.nodes.get(node).map(|node| &node.content) {
            Some(Content::Scalar { text, .. }) => text.clone(),
            _ => String::new(),
        };
        match self.nodes.get_mut(open.node).map(|node| &mut node.content) {
            Some(Content::List(elements)) => elements.push(node),
            Some(Content::Map(entries)) => match key {
                Some((key, at)) => entries.push(Entry { key, at, value: node }),
                None => open.key = Some((text, at)),
            },
            _ => {}
        }
    }
}
