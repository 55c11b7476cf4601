// Package protect stands between an application and a dependency that may be
// slow, down or wrong.
package protect
