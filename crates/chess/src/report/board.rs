//! A chess board as inline SVG. The pieces are our own drawings, defined once a page
//! ([`symbols`]) and used by reference, so a page with a hundred boards stays small.

use std::fmt::Write as _;

use crate::evidence::Side;

/// Side of a square in user units.
const SQUARE: f64 = 45.0;

/// What stands where: index 0 is a8, 63 is h1, as in a FEN; letters as in a FEN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement([Option<char>; 64]);

impl Placement {
    /// Reads the first field of a FEN. Only its shape is checked, since boards that no game can
    /// reach have to be shown as well.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(fen: &str) -> Result<Self, String> {
        let field = fen.split_whitespace().next().ok_or("it is empty")?;
        let ranks: Vec<&str> = field.split('/').collect();
        if ranks.len() != 8 {
            return Err(format!("it has {} ranks", ranks.len()));
        }
        let mut squares = [None; 64];
        for (rank_idx, rank) in ranks.iter().enumerate() {
            let mut file_idx = 0;
            for letter in rank.chars() {
                match letter {
                    '1'..='8' => file_idx += letter as usize - '0' as usize,
                    'p' | 'n' | 'b' | 'r' | 'q' | 'k' | 'P' | 'N' | 'B' | 'R' | 'Q' | 'K' => {
                        if file_idx < 8 {
                            squares[rank_idx * 8 + file_idx] = Some(letter);
                        }
                        file_idx += 1;
                    }
                    other => return Err(format!("it holds `{other}`")),
                }
            }
            if file_idx != 8 {
                return Err(format!("rank {} has {file_idx} squares", 8 - rank_idx));
            }
        }
        Ok(Self(squares))
    }

    /// Squares on which the two differ, as indices.
    #[must_use]
    pub fn changed(&self, other: &Self) -> Vec<usize> {
        (0..64).filter(|&idx| self.0[idx] != other.0[idx]).collect()
    }

    /// In words, for those who cannot see the picture: `white king e1, ...`.
    fn words(&self) -> String {
        let mut words = Vec::new();
        for (idx, piece) in self.0.iter().enumerate() {
            if let Some(piece) = piece {
                let side = if piece.is_ascii_uppercase() { "white" } else { "black" };
                words.push(format!("{side} {} {}", name(*piece), square_name(idx)));
            }
        }
        words.join(", ")
    }
}

fn name(piece: char) -> &'static str {
    match piece.to_ascii_lowercase() {
        'p' => "pawn",
        'n' => "knight",
        'b' => "bishop",
        'r' => "rook",
        'q' => "queen",
        _ => "king",
    }
}

fn square_name(idx: usize) -> String {
    format!("{}{}", char::from(b'a' + (idx % 8) as u8), 8 - idx / 8)
}

/// How marked squares look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Changed by an ordinary move.
    Move,
    /// Changed by something that a finding rests on.
    Tampered,
}

/// A board as SVG, seen from `side`, with some squares marked.
#[must_use]
pub fn board(placement: &Placement, side: Side, marked: &[usize], mark: Mark) -> String {
    let size = SQUARE * 8.0;
    let mut svg = format!(
        "<svg class=\"board\" viewBox=\"0 0 {size} {size}\" role=\"img\"><title>{}</title>",
        placement.words()
    );
    svg.push_str("<use href=\"#squares\"/>");
    let class = if mark == Mark::Move { "moved" } else { "tampered" };
    for &idx in marked {
        let (x, y) = corner(idx, side);
        let _ =
            write!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"45\" height=\"45\"/>");
    }
    for line in 0..8 {
        // File letters along the bottom, rank numbers down the left edge.
        let (file, rank) = match side {
            Side::White => (line, 8 - line),
            Side::Black => (7 - line, line + 1),
        };
        let at = line as f64 * SQUARE;
        let shade = |dark: bool| if dark { "on-dark" } else { "on-light" };
        let _ = write!(
            svg,
            "<text class=\"{}\" x=\"{}\" y=\"{}\">{}</text><text class=\"{}\" x=\"2.5\" y=\"{}\">{rank}</text>",
            shade(line % 2 == 0),
            at + SQUARE - 8.0,
            size - 3.0,
            char::from(b'a' + file as u8),
            shade(line % 2 == 1),
            at + 10.5,
        );
    }
    for (idx, piece) in placement.0.iter().enumerate() {
        if let Some(piece) = piece {
            let (x, y) = corner(idx, side);
            let side = if piece.is_ascii_uppercase() { "white" } else { "black" };
            let name = name(*piece);
            let _ = write!(svg, "<use href=\"#{name}\" class=\"{side}\" x=\"{x}\" y=\"{y}\"/>");
        }
    }
    svg.push_str("</svg>");
    svg
}

fn corner(idx: usize, side: Side) -> (f64, f64) {
    let (file, rank) = match side {
        Side::White => (idx % 8, idx / 8),
        Side::Black => (7 - idx % 8, 7 - idx / 8),
    };
    (file as f64 * SQUARE, rank as f64 * SQUARE)
}

/// Definitions that every page with boards needs once.
#[must_use]
pub fn symbols() -> String {
    let mut squares = String::from(
        "<g id=\"squares\"><rect class=\"light\" width=\"360\" height=\"360\"/><path class=\"dark\" d=\"",
    );
    for rank in 0..8 {
        for file in 0..8 {
            if (rank + file) % 2 == 1 {
                let _ = write!(squares, "M{} {}h45v45h-45z", file * 45, rank * 45);
            }
        }
    }
    squares.push_str("\"/></g>");
    let mut svg = format!("<svg class=\"defs\" aria-hidden=\"true\"><defs>{squares}");
    for (name, drawing) in PIECES {
        let _ = write!(svg, "<g id=\"{name}\">{drawing}{BASE}</g>");
    }
    svg.push_str("</defs></svg>");
    svg
}

/// Foot under every piece.
const BASE: &str = r#"<path d="M11.2 34.2h22.6c1.2 0 2 .8 2 2v2.6H9.2v-2.6c0-1.2.8-2 2-2z"/>"#;

/// Drawings in a square of 45 units; class `line` is drawn without a fill.
const PIECES: [(&str, &str); 6] = [
    (
        "pawn",
        r#"<path d="M22.5 9.6a5.4 5.4 0 0 1 3.5 9.5c2.5 1.2 3.8 2.8 3.8 4.3h-3.3c.3 4.6 2.1 8.2 5.5 10.8h-19c3.4-2.6 5.2-6.2 5.5-10.8h-3.3c0-1.5 1.3-3.1 3.8-4.3a5.4 5.4 0 0 1 3.5-9.5z"/>"#,
    ),
    (
        "knight",
        r#"<path d="M13 34.2c0-5.6 2.5-8.7 6.6-11.9-2.4 1-4.4 1-5.9 2.5-1.2 1.2-2.5 2-4 1.2-1.7-.9-2-2.7-1-4.4l4.2-7c.5-2 1.5-3.7 3-5l.2-4 3.6 2.8c8 .4 13.3 6 13.3 14.6 0 4.2-.8 7.6-1.1 11.2z"/><circle class="eye" cx="16.6" cy="14.8" r="1.2"/><path class="line" d="M23.4 11.6c4.4 1.8 6.6 6 6.4 12"/>"#,
    ),
    (
        "bishop",
        r#"<circle cx="22.5" cy="8" r="2.5"/><path d="M22.5 10.6c5 3.3 8 7.4 8 11.5 0 2.8-1.5 4.9-3.9 6.2l2.3 5.9H16.1l2.3-5.9c-2.4-1.3-3.9-3.4-3.9-6.2 0-4.1 3-8.2 8-11.5z"/><path class="line" d="M25 14.8l-3.9 6M18.2 28.4h8.6"/>"#,
    ),
    (
        "rook",
        r#"<path d="M11.8 8.6h4.6V12h3.7V8.6h4.8V12h3.7V8.6h4.6v8.2l-3 2.8v11.2l2.4 3.4H12.4l2.4-3.4V19.6l-3-2.8z"/><path class="line" d="M14.8 19.6h15.4M14.8 30.8h15.4"/>"#,
    ),
    (
        "queen",
        r#"<path d="M8.2 14.6l5.4 16.6h17.8l5.4-16.6-6.6 8.8-.8-12.6-4.6 11.6-2.3-13.6-2.3 13.6-4.6-11.6-.8 12.6z"/><path d="M12.6 30.4h19.8l.8 3.8H11.8z"/><circle cx="8" cy="13.4" r="2"/><circle cx="15.4" cy="9.6" r="2"/><circle cx="22.5" cy="7.8" r="2"/><circle cx="29.6" cy="9.6" r="2"/><circle cx="37" cy="13.4" r="2"/>"#,
    ),
    (
        "king",
        r#"<path class="line cross" d="M22.5 3.8v8.6M18.8 7.2h7.4"/><path d="M22.5 11.8c2.3 0 4 2 4 4.9 1.7-1.6 3.7-2.4 5.8-2.4 3.3 0 5.5 2.3 5.5 5.4 0 4.2-3.3 6.6-5.6 11.1l-.2 3.4H13l-.2-3.4c-2.3-4.5-5.6-6.9-5.6-11.1 0-3.1 2.2-5.4 5.5-5.4 2.1 0 4.1.8 5.8 2.4 0-2.9 1.7-4.9 4-4.9z"/><path class="line" d="M22.5 17.4v12.2M13.2 30.6h18.6"/>"#,
    ),
];

/// Style of boards; colors are set by the page's own variables.
pub const STYLE: &str = "\
.defs{position:absolute;width:0;height:0}\
.board{display:block;width:100%;height:auto;border-radius:6px;overflow:hidden}\
.board text{font:600 9.5px system-ui,sans-serif}\
.light,.on-dark{fill:var(--square-light)}.dark,.on-light{fill:var(--square-dark)}\
.moved{fill:var(--square-moved)}.tampered{fill:var(--square-tampered)}\
.white,.black{stroke-width:1.4;stroke-linejoin:round;stroke-linecap:round}\
.white{fill:#fdfcf8;stroke:#2b2a27;color:#2b2a27}.black{fill:#2f2d2a;stroke:#0f0e0d;color:#d8d3c8}\
.line{fill:none;stroke:currentColor}.eye{fill:currentColor;stroke:none}\
.cross{stroke-width:2.6;stroke:inherit}";

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";

    #[test]
    fn a_move_changes_two_squares() {
        let after = "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1";
        let (one, other) = (Placement::parse(START).unwrap(), Placement::parse(after).unwrap());
        let names: Vec<String> = one.changed(&other).into_iter().map(square_name).collect();
        assert_eq!(names, ["e4", "e2"]);
    }

    #[test]
    fn broken_placements_say_what_is_wrong() {
        assert!(Placement::parse("8/8").unwrap_err().contains("2 ranks"));
        assert!(Placement::parse("9/8/8/8/8/8/8/8").unwrap_err().contains('9'));
        assert!(Placement::parse("7/8/8/8/8/8/8/8").unwrap_err().contains("rank 8"));
        assert!(Placement::parse("").is_err());
    }

    #[test]
    fn boards_no_game_can_reach_are_drawn_too() {
        let kings = Placement::parse("kkkkkkkk/8/8/8/8/8/8/8 b - - 0 1").unwrap();
        let svg = board(&kings, Side::Black, &[0], Mark::Tampered);
        assert_eq!(svg.matches("#king").count(), 8);
        assert!(svg.contains("class=\"tampered\" x=\"315\" y=\"315\""), "a8 is at the lower right");
    }
}
