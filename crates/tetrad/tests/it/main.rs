//! The binary and the tree, tested from outside.

mod binary;
mod cli;
mod corpus;
mod crash;
mod genome;
mod genome_study;
mod kernels_crash;
mod kernels_judge;
mod kernels_search;
mod kernels_workers;
mod lerobot;
mod local_model;
mod robot;
mod robot_scene;
mod tidy;
