#!/bin/sh
# Stands in for ffmpeg in tests: its videos are pictures (PPM), one after another.
if [ "$1" = -version ]; then
    echo "ffmpeg version 6.0-twin"
    exit 0
fi
for argument; do
    case "$argument" in
    file:*) exec cat "${argument#file:}" ;;
    esac
done
exit 1
