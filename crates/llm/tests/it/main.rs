//! The client against a local server that plays recorded and faulty answers.

mod faults;
mod protocols;
mod served;
mod server;
