//! `cortana login` and `logout` with the real binary, against providers that judge each grant, and a browser that is played.

mod desk;
mod device;
mod kept;
mod refused;
mod revoked;
