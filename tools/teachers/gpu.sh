#!/usr/bin/env bash
# Teachers and their soft labels on another machine with a graphics card, carried there as one folder.
#
#   tools/teachers/gpu.sh pack ROOT WEIGHTS FOLDER   here: data, weights, list and code into FOLDER
#   bash FOLDER/gpu.sh train FOLDER OUT              there: trains, then writes what is worth carrying back to OUT/carry
#
# Variables, with their defaults: PYTHON=python; pack: SIZE=192 LIST and VIEWS_RECIPE (the files beside this script), and
# MEGABYTES=60 of the data, or TOTAL, MiB of the whole folder, of which the data get what weights and code leave;
# train: FOLDS="0 1 2 3 4" OF=5 VIEWS=30 DEVICE=cuda. Both can be interrupted and called again.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python}

pack() {
    local root=$1 weights=$2 folder=$3 list=${LIST:-$here/teachers.json}
    mkdir -p "$folder/weights"
    "$python" -c 'import json, sys; print("\n".join(t["weights"] for t in json.load(open(sys.argv[1])) if t.get("weights")))' "$list" |
        while read -r name; do [ -z "$name" ] || cp "$weights/$name" "$folder/weights/"; done
    cp "$list" "$folder/teachers.json"
    cp "${VIEWS_RECIPE:-$here/views.json}" "$folder/views.json"
    cp "$0" "$folder/gpu.sh"
    rm -rf "$folder/src" && mkdir "$folder/src"
    cp -r "$here/../../src/lentigo" "$folder/src/"
    find "$folder/src" -name __pycache__ -prune -exec rm -r {} +
    local megabytes=${MEGABYTES:-60}
    if [ -n "${TOTAL:-}" ]; then
        megabytes=$((TOTAL * 1048576 / 1000000 - $(du -sk "$folder" --exclude data.parquet | cut -f1) * 1024 / 1000000 - 1))
        [ "$megabytes" -gt 0 ] || { echo "Weights and code alone take more than $TOTAL MiB: list fewer teachers." >&2; exit 1; }
    fi
    [ -e "$folder/data.parquet" ] ||
        "$python" -m lentigo data pack "$root" --size "${SIZE:-192}" --megabytes "$megabytes" --out "$folder/data.parquet"
    du -sh "$folder"
}

train() {
    local folder=$1 out=$2 device=${DEVICE:-cuda} of=${OF:-5} fold folds=() names
    export PYTHONPATH=$folder/src LENTIGO_CACHE=${LENTIGO_CACHE:-$out/cache}
    mkdir -p "$out/carry"
    # A card is worth compiling for; on a processor it takes longer than it saves.
    if [ "$device" = cuda ]; then
        sed 's/"compile": false/"compile": true/' "$folder/teachers.json" >"$out/declared.json"
    else
        cp "$folder/teachers.json" "$out/declared.json"
    fi
    for fold in ${FOLDS:-0 1 2 3 4}; do folds+=(--fold "$fold"); done
    "$python" -m lentigo teach "$out/declared.json" --data "$folder/data.parquet" --weights "$folder/weights" \
        --folds "$of" "${folds[@]}" --device "$device" --out "$out/teachers"
    names=$("$python" -c 'import json, sys; print(*(t["name"] for t in json.load(open(sys.argv[1]))))' "$out/declared.json")
    for fold in ${FOLDS:-0 1 2 3 4}; do
        local runs=()
        for name in $names; do runs+=("$out/teachers/$name/fold$fold"); done
        "$python" -m lentigo soft-labels "${runs[@]}" --data "$folder/data.parquet" --recipe "$folder/views.json" \
            --split "$out/teachers/splits/fold$fold.csv" --views "${VIEWS:-30}" --device "$device" \
            --out "$out/carry/fold$fold.safetensors"
    done
    cp "$out/teachers/teachers.md" "$out/teachers/table.json" "$out/carry/"
    for name in $names; do cp "$out/teachers/$name/out_of_fold.parquet" "$out/carry/$name.parquet"; done
    ls -l "$out/carry"
}

case "${1:-} $#" in
    "pack 4") pack "${@:2}" ;;
    "train 3") train "${@:2}" ;;
    *) sed -n '2,9p' "$0" && exit 2 ;;
esac
