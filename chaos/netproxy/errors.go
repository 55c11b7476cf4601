package netproxy

import "net/http"

// Error is what the API answers with when a request cannot be done.
type Error struct {
	Message string `json:"error"`
	Status  int    `json:"status"` // an HTTP status code
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Errors of the API, worded as Toxiproxy words them.
var (
	errProxyNotFound      = &Error{"proxy not found", http.StatusNotFound}
	errProxyAlreadyExists = &Error{"proxy already exists", http.StatusConflict}
	errInvalidStream      = &Error{"stream was invalid, can be either upstream or downstream", http.StatusBadRequest}
	errInvalidToxicType   = &Error{"invalid toxic type", http.StatusBadRequest}
	errToxicAlreadyExists = &Error{"toxic already exists", http.StatusConflict}
	errToxicNotFound      = &Error{"toxic not found", http.StatusNotFound}
)

func badBody(err error) *Error {
	return &Error{"bad request body: " + err.Error(), http.StatusBadRequest}
}

func missingField(what string) *Error {
	return &Error{"missing required field: " + what, http.StatusBadRequest}
}
