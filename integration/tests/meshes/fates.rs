//! The table: a row is a mesh, a column a call, as text.

use crate::call::Call;

/// What becomes of a call with Envoy's own filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A digit: it is answered, and so many connections come to Envoy.
    Reaches(u64),
    /// `P`: it is answered, although nobody redirected it.
    ReachesUnredirected,
    /// `L`: Envoy connects to itself, over and over.
    Loops,
    /// `x`: it ends without an answer.
    Ends,
}

/// The calls of a mesh, with their fates by IPv4 and IPv6; none where the mesh has no such call.
pub fn of(mesh: &str, table: &'static str) -> Vec<(Call, [Option<Fate>; 2])> {
    let (names, rows) = lines(table);
    let row = rows.iter().find(|row| row[0] == mesh).expect("a row");
    assert_eq!(row.len(), names.len() + 1, "a cell for each column: {mesh}");
    let calls = names.iter().map(|name| Call::parse(name));
    calls.zip(row[1..].iter().map(|cell| fates(cell))).collect()
}

/// The names of the rows.
pub fn names(table: &'static str) -> Vec<&'static str> {
    lines(table).1.iter().map(|row| row[0]).collect()
}

fn lines(table: &'static str) -> (Vec<&'static str>, Vec<Vec<&'static str>>) {
    let lines = table.lines().filter(|line| !line.trim().is_empty());
    let mut lines = lines.map(|line| line.split_whitespace().collect());
    (lines.next().expect("the calls"), lines.collect())
}

fn fates(cell: &str) -> [Option<Fate>; 2] {
    let signs: Vec<char> = cell.chars().collect();
    let [v4, v6] = signs.try_into().expect("two families");
    [v4, v6].map(|sign| match sign {
        '0'..='9' => sign.to_digit(10).map(|n| Fate::Reaches(n.into())),
        'P' => Some(Fate::ReachesUnredirected),
        'L' => Some(Fate::Loops),
        'x' => Some(Fate::Ends),
        '-' => None,
        _ => panic!("no fate: {sign}"),
    })
}
