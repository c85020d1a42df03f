//! The embedded queue. To come.
