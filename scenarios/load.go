package scenarios

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/agnivade/levenshtein"
)

// MaxSize bounds a scenario file, in bytes. A larger one is refused unread.
const MaxSize = 1 << 20

// Options change how a scenario is loaded.
type Options struct {
	Sets        []string                    // PATH=VALUE, as of --set, applied in order
	Seed        *uint64                     // instead of the file's
	AllowRemote bool                        // as if the file said allow_remote: true
	Env         func(string) (string, bool) // for ${env:NAME}; default [os.LookupEnv]
	Stdin       io.Reader                   // what "-" reads; default [os.Stdin]
}

// Load reads a scenario as [LoadAll] does; of one with a matrix the first
// variant.
func Load(name string, opts Options) (*Scenario, error) { return first(LoadAll(name, opts)) }

// LoadBytes reads a scenario from data, as [Load] does; file is its name in
// messages, and relative paths in it start from the folder of that file.
func LoadBytes(file string, data []byte, opts Options) (*Scenario, error) {
	return first(loadAllBytes(file, data, opts))
}

func first(all []*Scenario, err error) (*Scenario, error) {
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// LoadAll reads a scenario and expands its matrix: a file, "-" for standard
// input, or a built-in one by its name, which wins over a file of the same name
// (write ./NAME for that). Without a matrix it returns one. Defaults are filled
// in. If anything in it is wrong the error is a [*Mistakes] with everything that
// is; other errors say why it could not be read.
func LoadAll(name string, opts Options) ([]*Scenario, error) {
	if name == "-" {
		in := opts.Stdin
		if in == nil {
			in = os.Stdin
		}
		data, err := readBounded("stdin", in)
		if err != nil {
			return nil, err
		}
		return loadAllBytes("stdin", data, opts)
	}
	if source, err := builtIn(name); err == nil {
		return loadAllBytes(libraryFile(name), source, opts)
	}
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	return loadAllBytes(name, data, opts)
}

func loadAllBytes(file string, data []byte, opts Options) ([]*Scenario, error) {
	if len(data) > MaxSize {
		return nil, tooLarge(file)
	}
	if opts.Env == nil {
		opts.Env = os.LookupEnv
	}
	text := strings.TrimPrefix(string(data), "\ufeff") // a byte order mark says nothing here
	c := &collector{}
	root := parseYAML(newSource(file, text), []byte(text), c)
	if root == nil {
		return nil, c.err()
	}
	if root.kind != mapping {
		c.add(root.at, "a scenario is a mapping (name: …, target: …), not "+root.kind.String())
		return nil, c.err()
	}
	for i, set := range opts.Sets {
		applySet(root, set, i+1, c)
	}
	sum := sha256.Sum256(data)
	var all []*Scenario
	for _, v := range expandMatrix(root, c) {
		s := &Scenario{File: file, SHA256: hex.EncodeToString(sum[:]), Sets: opts.Sets, Variant: v.name, env: opts.Env}
		s.fill(v.root, opts, c)
		all = append(all, s)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	return all, nil
}

// fill decodes s from root and reports what is wrong with it.
func (s *Scenario) fill(root *node, opts Options, c *collector) {
	tainted := decode(root, s, c)
	if opts.Seed != nil {
		s.Seed = opts.Seed
	}
	s.AllowRemote = s.AllowRemote || opts.AllowRemote
	if s.Target.Command != nil && !filepath.IsAbs(s.Target.Command.Dir) {
		s.Target.Command.Dir = filepath.Join(baseFolder(s.File), s.Target.Command.Dir)
	}
	s.check(&checker{root: root, c: c, tainted: tainted})
}

// decode fills s from root, over its defaults, and returns the nodes that have
// mistakes. It decodes twice: defaults are set on what the file leaves zero,
// and then what it says wins again, a zero too.
func decode(root *node, s *Scenario, c *collector) map[*node]bool {
	d := &decoder{c: c, tainted: map[*node]bool{}}
	d.object(root, reflect.ValueOf(s).Elem(), root.at)
	s.setDefaults()
	again := &decoder{c: &collector{}, tainted: map[*node]bool{}}
	again.object(root, reflect.ValueOf(s).Elem(), root.at)
	return d.tainted
}

// baseFolder returns the folder that relative paths of the file start from.
func baseFolder(file string) string {
	if file == "stdin" || strings.HasPrefix(file, libraryFolder) {
		return "."
	}
	return filepath.Dir(file)
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, notFound(name)
	case err != nil:
		return nil, fmt.Errorf("read the scenario: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the scenario: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a directory; name a scenario file in it", name)
	case info.Mode().IsRegular() && info.Size() > MaxSize:
		return nil, tooLarge(name)
	}
	return readBounded(name, f)
}

func readBounded(name string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the scenario: %s: %w", name, err)
	}
	if len(data) > MaxSize {
		return nil, tooLarge(name)
	}
	return data, nil
}

func tooLarge(name string) error {
	return fmt.Errorf("%s: larger than 1 MiB, which no scenario is", name)
}

func notFound(name string) error {
	if other := resembling(name); other != "" {
		return fmt.Errorf("%s: no such file, and no built-in scenario of that name (did you mean %s?)", name, other)
	}
	return fmt.Errorf("%s: no such file, and no built-in scenario of that name (hachaos scenarios lists them)", name)
}

// resembling returns the built-in scenario whose name is nearest to a misspelt
// one; "" if none is near.
func resembling(name string) string {
	best, nearest := "", len(name)
	for _, e := range Library() {
		if d := levenshtein.ComputeDistance(name, e.Name); d <= len(e.Name)/3 && d < nearest {
			best, nearest = e.Name, d
		}
	}
	return best
}
