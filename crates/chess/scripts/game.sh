#!/bin/sh
# Play chess as Black against a UCI engine that plays White.
#
#   ./game.sh start         begin a new game; the engine makes its first move
#   ./game.sh status        show the board, the position and your legal moves
#   ./game.sh move          list your legal moves
#   ./game.sh move e7e5     make a move (UCI form); the engine replies
#
# Files in game/:
#   fen.txt      every position of the game, one FEN a line; the last line is the position now
#   moves.txt    every move of the game, one a line
#   status.txt   how the game stands
#
# Exit codes: 0 done; 1 no game, or the game is over; 2 that is no legal move; 3 the position cannot
# be played; 4 the engine failed.

ENGINE=stockfish
NODES=@NODES@
OPTIONS='@OPTIONS@'
RESIGN_CENTIPAWNS=@RESIGN@
ORIGINAL_TRAPS=@TRAPS@
START='rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1'

HERE=$(cd "$(dirname "$0")" && pwd)
GAME=$HERE/game
FENS=$GAME/fen.txt MOVES=$GAME/moves.txt STATUS=$GAME/status.txt
PIPES=

stop() { # exit code, message
    close_engine
    printf '%s\n' "$2"
    exit "$1"
}

# --- the opponent; it also tells the rules: `d` shows a position, `go perft 1` lists moves

open_engine() {
    command -v "$ENGINE" >/dev/null || stop 4 "The engine cannot be started."
    PIPES=$(mktemp -d) || stop 4 "There is no room for the engine's pipes."
    mkfifo "$PIPES/in" "$PIPES/out"
    "$ENGINE" <"$PIPES/in" >"$PIPES/out" &
    # An engine that dies must not take this script with it.
    trap '' PIPE
    exec 3>"$PIPES/in" 4<"$PIPES/out"
    rm -r "$PIPES"
    ask uciok uci >/dev/null || failed
    printf '%s' "$OPTIONS" >&3
    ask readyok isready >/dev/null || failed
}

close_engine() {
    [ -n "$PIPES" ] || return 0
    PIPES=
    echo quit >&3 2>/dev/null
    exec 3>&- 4<&-
    wait
}

failed() { stop 4 "The engine stopped answering. Your last completed move is kept."; }

# Sends commands (each an argument after the first) and prints the lines up to the one that starts
# with the first argument.
ask() {
    last=$1
    shift
    printf '%s\n' "$@" >&3 2>/dev/null || return 1
    while IFS= read -r line <&4; do
        printf '%s\n' "$line"
        case $line in "$last"*) return 0 ;; esac
    done
    return 1
}

accepted() { # an answer
    case $1 in *"info string rejected"*)
        stop 3 "The engine refuses this position:$(printf '%s\n' "$1" | sed -n 's/^info string rejected//p' | head -n 1)" ;;
    esac
}

# Sets fen to the position after a move (maybe empty), and checked to yes if it is a check.
look() { # FEN, move
    answer=$(ask readyok "position fen $1${2:+ moves $2}" d isready) || failed
    accepted "$answer"
    fen=$(printf '%s\n' "$answer" | sed -n 's/^Fen: //p' | tail -n 1)
    [ -n "$fen" ] || failed
    checked=no
    printf '%s\n' "$answer" | grep -q '^Checkers: *[a-h]' && checked=yes
}

# Sets legal to the moves of a position, in order, with spaces between.
list_moves() { # FEN
    answer=$(ask 'Nodes searched' "position fen $1" 'go perft 1') || failed
    accepted "$answer"
    legal=$(printf '%s\n' "$answer" | sed -n 's/^\([a-h][1-8][a-h][1-8][nbrq]*\): 1$/\1/p' | sort | tr '\n' ' ')
    legal=${legal% }
}

# Sets best, score (centipawns for the side to move) and resigns.
think() { # FEN
    ask readyok ucinewgame isready >/dev/null || failed
    answer=$(ask bestmove "position fen $1" "go nodes $NODES") || failed
    accepted "$answer"
    best=$(printf '%s\n' "$answer" | sed -n 's/^bestmove \([^ ]*\).*/\1/p')
    score=$(printf '%s\n' "$answer" | sed -n 's/.* score cp \(-\{0,1\}[0-9]*\).*/\1/p;s/.* score mate -.*/-100000/p;s/.* score mate [0-9].*/100000/p' | tail -n 1)
    resigns=no
    case $answer in *"info string resign"*) resigns=yes ;; esac
}

# --- the files

last_line() { [ -f "$1" ] && sed '/^[[:space:]]*$/d' "$1" | tail -n 1; }

check_position() { # FEN
    printf '%s\n' "$1" | awk '{
        good = NF == 6 && ($2 == "w" || $2 == "b") && split($1, rank, "/") == 8
        for (i = 1; good && i <= 8; i++) {
            n = 0
            for (j = 1; j <= length(rank[i]); j++) {
                c = substr(rank[i], j, 1)
                if (c ~ /[1-8]/) n += c; else if (c ~ /[pnbrqkPNBRQK]/) n++; else good = 0
            }
            if (n != 8 || ((i == 1 || i == 8) && rank[i] ~ /[pP]/)) good = 0
        }
        kings = $1
        if (gsub(/k/, "", kings) != 1 || gsub(/K/, "", kings) != 1) good = 0
        exit !good
    }' || stop 3 "The last line of game/fen.txt is no position that can be played: $1"
}

current() { # sets fen
    fen=$(last_line "$FENS")
    [ -n "$fen" ] || stop 1 "There is no game. Begin one with: start"
    [ "$ORIGINAL_TRAPS" = yes ] || check_position "$fen"
}

show() { # FEN
    printf '%s\n' "$1" | awk '{
        n = split($1, rank, "/")
        for (i = 1; i <= n; i++) {
            line = 9 - i
            for (j = 1; j <= length(rank[i]); j++) {
                c = substr(rank[i], j, 1)
                if (c ~ /[1-8]/) while (c-- > 0) line = line " ."
                else line = line " " c
            }
            print line
        }
        print "  a b c d e f g h"
    }'
    echo "FEN: $1"
}

# Sets ended to how the game ended at fen, or to nothing while it goes on.
result() {
    list_moves "$fen"
    ended=
    set -f
    # shellcheck disable=SC2086  # the fields of a FEN are words
    set -- $fen
    set +f
    if [ -z "$legal" ]; then
        ended="draw by stalemate"
        [ "$checked$2" = yesw ] && ended="checkmate, you win"
        [ "$checked$2" = yesb ] && ended="checkmate, the engine wins"
    elif [ "$(awk -v a="$1 $2 $3 $4" '$1 " " $2 " " $3 " " $4 == a' "$FENS" | wc -l)" -ge 3 ]; then
        ended="draw by threefold repetition"
    elif [ "$5" -ge 100 ]; then
        ended="draw by the fifty-move rule"
    else
        case $(printf '%s' "$1" | tr -cd 'pnbrqPNBRQ') in
            '' | [nbNB]) ended="draw by insufficient material" ;;
        esac
    fi
}

finish() { # text
    echo "game over: $1" >"$STATUS"
    stop 0 "Game over: $1."
}

# --- the commands

# Lets the engine move at fen, and shows what it leaves.
reply() {
    think "$fen"
    [ -z "$score" ] || [ "$score" -ge "$RESIGN_CENTIPAWNS" ] || resigns=yes
    [ "$resigns" = no ] || finish "the position is lost, the engine resigns; you win"
    case $best in [a-h][1-8][a-h][1-8]*) ;; *) stop 4 "The engine has no move." ;; esac
    look "$fen" "$best"
    echo "$fen" >>"$FENS"
    echo "$best" >>"$MOVES"
    echo "The engine plays $best"
    result
    show "$fen"
    [ -z "$ended" ] || finish "$ended"
    close_engine
    echo "Legal moves: $legal"
}

start() {
    open_engine
    mkdir -p "$GAME"
    echo "$START" >"$FENS"
    : >"$MOVES"
    echo "in progress" >"$STATUS"
    echo "A new game. You play Black."
    fen=$START
    reply
}

status() {
    current
    open_engine
    look "$fen"
    list_moves "$fen"
    [ "$ORIGINAL_TRAPS" = no ] || think "$fen"
    close_engine
    show "$fen"
    case $fen in *' w '*) side=White ;; *) side=Black ;; esac
    [ "$checked" = no ] || side="$side (in check)"
    echo "To move: $side"
    [ "$ORIGINAL_TRAPS" = no ] || echo "Evaluation: $score centipawns for the side to move"
    echo "Status: $(last_line "$STATUS")"
    echo "Legal moves: $legal"
}

move() { # UCI, maybe empty
    current
    over=$(last_line "$STATUS")
    case $over in "game over"*) stop 1 "The $over. Begin another with: start" ;; esac
    open_engine
    case $fen in *' w '*)
        echo "The engine still owes its move."
        reply
        return ;;
    esac
    list_moves "$fen"
    [ -n "$1" ] || stop 0 "Legal moves: $legal"
    case " $legal " in *" $1 "*) ;; *)
        echo "$1 is not a legal move."
        stop 2 "Legal moves: $legal" ;;
    esac
    look "$fen" "$1"
    echo "$fen" >>"$FENS"
    echo "$1" >>"$MOVES"
    echo "You play $1"
    result
    [ -z "$ended" ] || [ "$ORIGINAL_TRAPS" = no ] || finish "the engine lost"
    [ -z "$ended" ] || finish "$ended"
    reply
}

case "$#:$1" in
    1:start) start ;;
    1:status) status ;;
    1:move) move '' ;;
    2:move) move "$2" ;;
    *) sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
