//! Files of weights.
