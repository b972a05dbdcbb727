//! The shared shape against the casts it rests on.
