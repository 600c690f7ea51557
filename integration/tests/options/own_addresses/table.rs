//! The table: a row is an address, a column a way in, as text.

use super::place::{Client, Column};

/// What becomes of a connection to an address of this host's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// `L`: Envoy's own filter loops.
    Loops,
    /// `.`: it does not: what Envoy connects to is not the listener.
    Ends,
    /// `a`: it does not, for no host accepts a connection to an anycast address. To the kernel, such
    /// an address is no host's own: it is restored, and Envoy tries once, in vain.
    Anycast,
    /// `?`: nor is there a destination. Nothing redirects the connection, and nothing tracks it.
    NoDestination,
}

/// The cells of one row.
pub struct Row {
    /// The address as a client writes it, with an interface as its scope.
    pub address: &'static str,
    cells: Vec<(Column, Client, Cell)>,
}

/// Reads a table. Its first line names the columns; each cell has a sign for a local and one for a
/// remote client, `-` where there is no way.
pub fn parse(text: &'static str) -> Vec<Row> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let columns = lines.next().expect("the names of the columns");
    let columns: Vec<Column> = columns.split_whitespace().map(Column::parse).collect();
    lines.map(|line| Row::parse(line, &columns)).collect()
}

impl Row {
    fn parse(line: &'static str, columns: &[Column]) -> Self {
        let mut words = line.split_whitespace();
        let address = words.next().expect("an address");
        let words: Vec<&str> = words.collect();
        assert_eq!(words.len(), columns.len(), "a cell for each column: {line}");
        let cells = words.iter().zip(columns).flat_map(|(word, column)| {
            assert_eq!(word.len(), 2, "two clients: {line}");
            let clients = [Client::Local, Client::Remote].into_iter();
            let signs = clients.zip(word.chars());
            signs.filter_map(|(client, sign)| Some((*column, client, Cell::parse(sign)?)))
        });
        let cells = cells.collect();
        Self { address, cells }
    }

    /// What becomes of a connection that comes in this way, if it can.
    pub fn cell(&self, column: Column, client: Client) -> Option<Cell> {
        let mut cells = self.cells.iter();
        let found = cells.find(|(c, from, _)| (*c, *from) == (column, client));
        found.map(|(_, _, cell)| *cell)
    }

    /// Without the columns in which a rule redirects.
    pub fn unredirected(mut self) -> Self {
        self.cells.retain(|(column, ..)| !column.way.redirects());
        self
    }

    /// The columns and clients with a way to this address.
    pub fn ways(&self) -> impl Iterator<Item = (Column, Client)> {
        self.cells
            .iter()
            .map(|(column, client, _)| (*column, *client))
    }
}

impl Cell {
    fn parse(sign: char) -> Option<Self> {
        match sign {
            'L' => Some(Self::Loops),
            '.' => Some(Self::Ends),
            'a' => Some(Self::Anycast),
            '?' => Some(Self::NoDestination),
            '-' => None,
            _ => panic!("not a cell: {sign}"),
        }
    }
}
