package reports

import (
	"testing"
	"unicode/utf8"
)

func TestMask(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"  name: plain # no secret", "  name: plain # no secret"},
		{`url: "http://üser:pa@ss@host/x"`, `url: "http://**********@host/x"`},
		{`url: redis://u:p/a?s#s@host, at: 1s`, `url: redis://*********@host, at: 1s`},
		{`{url: "http://u:a b@h:1/", x: y@z}`, `{url: "http://*****@h:1/", x: y@z}`},
		{`url: http://host/@me`, `url: http://host/@me`},
		{`url: http://h/?sig=abc&v=1&empty=, mode: x`, `url: http://h/?sig=***&v=*&empty=, mode: x`},
		{`path: /a?user=ada`, `path: /a?user=ada`},
		{`path: /a?token=ada&x=1`, `path: /a?token=***&x=1`},
		{`url: "http://u:${env:P}@h:${port}/?k=${env:K}x"`, `url: "http://**${env:P}@h:${port}/?k=${env:K}*"`},
		{`{Authorization: "Bearer abc", X-Port: 1}`, `{Authorization: "**********", X-Port: 1}`},
		{`{Cookie: id=7, X-Port: 1}`, `{Cookie: ****, X-Port: 1}`},
		{`Cookie: id=${env:T}`, `Cookie: ***${env:T}`},
		{`{"X-API-Key": 'abc'}`, `{"X-API-Key": '***'}`},
		{`env: {MY_DB_PASSWORD: "hunt er2", OTHER: x}`, `env: {MY_DB_PASSWORD: "********", OTHER: x}`},
		{`secret: {kind: redis, token: [a]}`, `secret: {kind: redis, token: [a]}`},
		{`DB_PASSWORD: 'abc' # '${env:X}'`, `DB_PASSWORD: '***' # '${env:X}'`},
		{`run: [curl, -H, "Bearer abcdef"]`, `run: [curl, -H, "Bearer ******"]`},
		{`never closed: http://u:p@h/?a=${env`, `never closed: http://***@h/?a=${env`},
	} {
		got := Mask(c.in)
		if got != c.want {
			t.Errorf("Mask(%q) = %q, want %q", c.in, got, c.want)
		}
		if utf8.RuneCountInString(got) != utf8.RuneCountInString(c.in) {
			t.Errorf("Mask(%q) = %q has another length", c.in, got)
		}
	}
}
