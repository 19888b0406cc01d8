#!/bin/sh
# In Python's place in tests: -c SCRIPT FILE OUT OPTION...
case "$3" in
*good.py)
    cat > "$4.json" <<'TASK'
{"format":1,"name":"negative","summary":"x to -x.","origin":{"source":"tetrad","licence":"MIT"},
"graph":{"inputs":[{"name":"x","dtype":"f32","shape":[2]}],"parameters":[],
"nodes":[{"op":"aten.neg.default","arguments":{"self":{"tensor":"x"}},
"outputs":[{"name":"y","dtype":"f32","shape":[2]}]}],"outputs":["y"]},
"generators":{"x":{"normal":{"mean":0.0,"std":1.0}}},"policy":{},"variants":[]}
TASK
    ;;
*bad.py)
    printf 'Traceback:\n  line 1\nSyntaxError: invalid syntax\n\n' >&2
    exit 1
    ;;
*) exec sleep 20 ;;
esac
