//! What a chat costs when credentials, models and providers fail: requests counted, time virtual, sockets real.

mod causes;
mod half_open;
mod limits;
mod table;
