// Package http1 is the client side of HTTP/1.0 and HTTP/1.1 (RFC 9112) for a
// load generator: it writes requests once into bytes that are sent many times,
// and reads responses out of one reusable buffer without allocating.
//
// It frames messages and nothing more. It never dials, retries, follows a
// redirect, keeps a cookie or decompresses, and of a response's header it keeps
// only the fields that were asked for. Where RFC 9112 leaves a choice it is at
// least as strict as net/http, because a generator that misreads the end of one
// answer blames the target for the next; a fuzz test compares the two.
//
// Start reading at [Reader.Next] and [Reader.Body]; requests are made by
// [AppendRequest].
package http1
