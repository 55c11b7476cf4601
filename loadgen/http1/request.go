package http1

import (
	"fmt"
	"strconv"
	"strings"
)

// Field is a header field of a request.
type Field struct{ Name, Value string }

// Idempotent tells whether a request with this method may be sent again when
// its connection ended before any answer (RFC 9110 §9.2.2).
func Idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// AppendRequest appends a whole HTTP/1.1 request to dst and returns it. Fields
// are written as they are, in their order; Content-Length is added for a body
// and for methods that usually have one. The caller gives Host.
//
// It returns an error, and nothing of the request, if a part could change the
// meaning of the message: a line break in a value, a name that is no token, a
// field that frames the body.
func AppendRequest(dst []byte, method, target string, fields []Field, body string) ([]byte, error) {
	if !IsToken(method) {
		return dst, fmt.Errorf("method %q is not a token (such as GET)", method)
	}
	if !IsTarget(target) {
		return dst, fmt.Errorf("target %q holds a space, a control character or a byte above ASCII (write it as %%XX)", target)
	}
	for _, f := range fields {
		if err := CheckField(f); err != nil {
			return dst, err
		}
	}
	dst = append(append(append(append(dst, method...), ' '), target...), " HTTP/1.1\r\n"...)
	for _, f := range fields {
		dst = append(append(append(append(dst, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	if body != "" || method == "POST" || method == "PUT" || method == "PATCH" {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(body)), 10)
		dst = append(dst, "\r\n"...)
	}
	return append(append(dst, "\r\n"...), body...), nil
}

// CheckField returns an error if a request must not carry f: its name is no
// token, its value could end its line, or it frames the body, which
// [AppendRequest] does itself.
func CheckField(f Field) error {
	switch {
	case !IsToken(f.Name):
		return fmt.Errorf("header name %q is not a token (such as Accept)", f.Name)
	case !IsFieldValue(f.Value):
		return fmt.Errorf("the value of header %s holds a line break or another control character, or begins or ends with a space", f.Name)
	}
	switch strings.ToLower(f.Name) {
	case "content-length", "transfer-encoding", "trailer", "upgrade":
		return fmt.Errorf("header %s cannot be set: how the message is framed is decided here", f.Name)
	}
	return nil
}
