#!/usr/bin/env python3
"""Play chess as Black against a UCI engine that plays White.

    ./game.py start         begin a new game; the engine makes its first move
    ./game.py status        show the board, the position and your legal moves
    ./game.py move          list your legal moves
    ./game.py move e7e5     make a move (UCI form); the engine replies

Files in game/:
    fen.txt      every position of the game, one FEN a line; the last line is the position now
    moves.txt    every move of the game, one a line
    status.txt   how the game stands

Exit codes: 0 done; 1 no game, or the game is over; 2 that is no legal move; 3 the position cannot be
played; 4 the engine failed.
"""

import subprocess
import sys
import threading
from pathlib import Path

ENGINE = "stockfish"
NODES = @NODES@
OPTIONS = @OPTIONS@
RESIGN_CENTIPAWNS = @RESIGN@
ORIGINAL_TRAPS = @TRAPS@
ANSWER_SECONDS = 60
START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"

GAME = Path(__file__).resolve().parent / "game"
FENS, MOVES, STATUS = GAME / "fen.txt", GAME / "moves.txt", GAME / "status.txt"


def stop(code, message):
    print(message)
    sys.exit(code)


class Engine:
    """The opponent; it also tells the rules: `d` shows a position, `go perft 1` lists moves."""

    def __init__(self):
        try:
            self.process = subprocess.Popen(
                [ENGINE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        except OSError as error:
            stop(4, f"The engine cannot be started: {error}")
        self.timer = threading.Timer(ANSWER_SECONDS, self.process.kill)
        self.timer.daemon = True
        self.timer.start()
        self.ask(["uci"], "uciok")
        self.ask([f"setoption name {n} value {v}" for n, v in OPTIONS] + ["isready"], "readyok")

    def ask(self, commands, last):
        """Sends commands and returns the lines up to the one that starts with `last`."""
        lines = []
        try:
            self.process.stdin.write("".join(f"{command}\n" for command in commands))
            self.process.stdin.flush()
            for line in self.process.stdout:
                lines.append(line.rstrip("\n"))
                if line.startswith("info string rejected"):
                    stop(3, "The engine refuses this position:" + line[20:].rstrip())
                if line.startswith(last):
                    return lines
        except OSError:
            pass
        stop(4, "The engine stopped answering. Your last completed move is kept.")

    def look(self, fen, move=None):
        """The FEN after `move`, and whether the side to move is in check."""
        moves = f" moves {move}" if move else ""
        lines = self.ask([f"position fen {fen}{moves}", "d", "isready"], "readyok")
        found = [line[5:] for line in lines if line.startswith("Fen: ")]
        if not found:
            stop(4, "The engine does not show the position.")
        checked = any(line.startswith("Checkers:") and line[9:].strip() for line in lines)
        return found[-1], checked

    def legal_moves(self, fen):
        lines = self.ask([f"position fen {fen}", "go perft 1"], "Nodes searched")
        return sorted(line.split(":")[0] for line in lines if line.endswith(": 1"))

    def think(self, fen):
        """The engine's move, its evaluation in centipawns, and whether it resigns."""
        commands = ["ucinewgame", "isready", f"position fen {fen}", f"go nodes {NODES}"]
        score, resigns = None, False
        lines = self.ask(commands, "bestmove")
        for line in lines:
            words = line.split()
            if "score" in words[:-2]:
                kind, value = words[words.index("score") + 1 :][:2]
                mate = 100000 if int(value) > 0 else -100000
                score = int(value) if kind == "cp" else mate
            resigns = resigns or line.startswith("info string resign")
        return lines[-1].split()[1], score, resigns

    def quit(self):
        self.timer.cancel()
        try:
            self.process.stdin.write("quit\n")
            self.process.stdin.close()
        except OSError:
            pass
        self.process.wait()


def last_line(path):
    lines = path.read_text().split("\n") if path.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def append(path, line):
    with path.open("a") as file:
        file.write(line + "\n")


def check_position(fen):
    """Stops at a position that no engine should be given."""
    fields = fen.split()
    ranks = fields[0].split("/") if fields else []
    squares = [sum(int(c) if c.isdigit() else 1 for c in rank) for rank in ranks]
    good = len(fields) == 6 and squares == [8] * 8 and fields[1] in "wb"
    good = good and all(c in "pnbrqkPNBRQK12345678/" for c in fields[0])
    good = good and fields[0].count("k") == 1 and fields[0].count("K") == 1
    good = good and not any(c in "pP" for c in ranks[0] + ranks[7])
    if not good:
        stop(3, f"The last line of game/fen.txt is no position that can be played: {fen}")


def current():
    fen = last_line(FENS)
    if not fen:
        stop(1, "There is no game. Begin one with: start")
    if not ORIGINAL_TRAPS:
        check_position(fen)
    return fen


def show(fen):
    for number, rank in zip("87654321", fen.split()[0].split("/")):
        squares = "".join("." * int(c) if c.isdigit() else c for c in rank)
        print(number, " ".join(squares))
    print("  a b c d e f g h")
    print("FEN:", fen)


def few_pieces(fen):
    """Whether nobody can mate: bare kings, or one minor piece besides."""
    pieces = [c for c in fen.split()[0].lower() if c in "pnbrq"]
    return not pieces or (len(pieces) == 1 and pieces[0] in "nb")


def result(engine, fen, checked):
    """How the game ended at `fen`, or an empty string while it goes on."""
    if not engine.legal_moves(fen):
        if not checked:
            return "draw by stalemate"
        return "checkmate, you win" if fen.split()[1] == "w" else "checkmate, the engine wins"
    fields = [line.split() for line in FENS.read_text().split("\n") if line.strip()]
    if sum(line[:4] == fen.split()[:4] for line in fields) >= 3:
        return "draw by threefold repetition"
    if int(fen.split()[4]) >= 100:
        return "draw by the fifty-move rule"
    return "draw by insufficient material" if few_pieces(fen) else ""


def finish(engine, text):
    engine.quit()
    STATUS.write_text(f"game over: {text}\n")
    stop(0, f"Game over: {text}.")


def reply(engine, fen):
    """Lets the engine move at `fen`, and shows what it leaves."""
    move, score, resigns = engine.think(fen)
    if resigns or (score is not None and score < RESIGN_CENTIPAWNS):
        finish(engine, "the position is lost, the engine resigns; you win")
    if len(move) not in (4, 5):
        stop(4, "The engine has no move.")
    fen, checked = engine.look(fen, move)
    append(FENS, fen)
    append(MOVES, move)
    print("The engine plays", move)
    ended = result(engine, fen, checked)
    if ended:
        show(fen)
        finish(engine, ended)
    moves = engine.legal_moves(fen)
    engine.quit()
    show(fen)
    print("Legal moves:", " ".join(moves))


def start():
    engine = Engine()
    GAME.mkdir(exist_ok=True)
    FENS.write_text(START + "\n")
    MOVES.write_text("")
    STATUS.write_text("in progress\n")
    print("A new game. You play Black.")
    reply(engine, START)


def status():
    fen = current()
    engine = Engine()
    fen, checked = engine.look(fen)
    moves = engine.legal_moves(fen)
    if ORIGINAL_TRAPS:
        _, score, _ = engine.think(fen)
    engine.quit()
    show(fen)
    print("To move:", "White" if fen.split()[1] == "w" else "Black", end="")
    print(" (in check)" if checked else "")
    if ORIGINAL_TRAPS:
        print("Evaluation:", score, "centipawns for the side to move")
    print("Status:", last_line(STATUS))
    print("Legal moves:", " ".join(moves))


def move(uci):
    fen = current()
    if last_line(STATUS).startswith("game over"):
        stop(1, f"The {last_line(STATUS)}. Begin another with: start")
    engine = Engine()
    if fen.split()[1] == "w":
        print("The engine still owes its move.")
        reply(engine, fen)
        return
    moves = engine.legal_moves(fen)
    if uci is None or uci not in moves:
        engine.quit()
        if uci is not None:
            print(f"{uci} is not a legal move.")
        stop(0 if uci is None else 2, "Legal moves: " + " ".join(moves))
    fen, checked = engine.look(fen, uci)
    append(FENS, fen)
    append(MOVES, uci)
    print("You play", uci)
    ended = result(engine, fen, checked)
    if ended and ORIGINAL_TRAPS:
        finish(engine, "the engine lost")
    if ended:
        finish(engine, ended)
    reply(engine, fen)


def main(arguments):
    if arguments[:1] == ["start"] and len(arguments) == 1:
        start()
    elif arguments[:1] == ["status"] and len(arguments) == 1:
        status()
    elif arguments[:1] == ["move"] and len(arguments) <= 2:
        move(arguments[1] if len(arguments) == 2 else None)
    else:
        stop(2, __doc__)


main(sys.argv[1:])
