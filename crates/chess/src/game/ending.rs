//! Whether the game is over for the harness. What it came to, the referee decides.
