//! StripedHyena 2, the DNA language model behind Evo 2: its checkpoints, exactly, on a CPU.
//!
//! [`model::StripedHyena`] reads bases and says how likely each next one was. It is given a sequence
//! in pieces of any size and remembers the rest in a [`model::State`], so a chromosome needs no more
//! memory than a gene. [`score`] turns that into log-likelihoods, [`variants`] into effects of
//! variants, [`generate`] into new sequence. [`profile`], [`effects`] and [`needle`] ask what a model
//! knows of genes and how far back it recalls; [`train`] makes one from a [`corpus`], and one comes with
//! the program ([`shipped`]).
//!
//! Sequences are upper-case bytes, one token each; what is not A, C, G or T is a token too.

pub mod annotation;
pub mod columnar;
pub mod config;
pub mod corpus;
pub mod edits;
pub mod effects;
pub mod embed;
mod error;
pub mod fasta;
pub mod generate;
pub mod genes;
pub mod genetic_code;
mod lines;
pub mod load;
pub mod markov;
pub mod mean;
pub mod model;
pub mod needle;
pub mod npy;
pub mod profile;
mod random;
pub mod reference;
pub mod report;
pub mod score;
pub mod shipped;
pub mod table;
#[cfg(test)]
mod testing;
pub mod train;
pub mod variants;
pub mod vcf;

pub use config::ModelConfig;
pub use error::Error;
