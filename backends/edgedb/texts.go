package edgedb

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/edgedb/decode"
	"github.com/duetdb/duet/backends/edgedb/edgeqltext"
)

// Bounds of what a client remembers of texts.
const (
	maxTexts      = 4096
	maxCachedText = 16 << 10 // bytes of one
)

// text is what a command's text says of itself.
type text struct {
	parsed *edgeqltext.Text // nil where it cannot be read: the server will say why
	ends   bool             // it would end the transaction that it runs in
	reads  bool             // it certainly changes nothing
}

// texts are the texts that a client has seen, safe for concurrent use.
type texts struct {
	mu     sync.RWMutex
	byText map[string]*text
}

// get finds or reads a text.
func (t *texts) get(cmd string) *text {
	t.mu.RLock()
	known := t.byText[cmd]
	t.mu.RUnlock()
	if known != nil {
		return known
	}
	made := &text{}
	if parsed, err := edgeqltext.Parse(cmd); err == nil {
		made.parsed = parsed
		for _, s := range parsed.Statements {
			made.ends = made.ends || s.Words[0] == "commit" && s.Words[1] != "migration" || s.Words[0] == "rollback" && s.Words[1] != "to"
		}
	}
	made.reads = onlyReads(cmd, made.parsed)
	if len(cmd) > maxCachedText {
		return made
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byText == nil {
		t.byText = map[string]*text{}
	}
	if len(t.byText) >= maxTexts {
		for k := range t.byText { // any one makes room: this many texts are made by a program
			delete(t.byText, k)
			break
		}
	}
	t.byText[cmd] = made
	return made
}

// arguments makes of a call's arguments what edgedb-go takes. Bytes are copied:
// they may be read after a call has been left, when they are their owner's again.
func (t *text) arguments(args []any) ([]any, error) {
	args = copied(args)
	if t.parsed == nil {
		return decode.Args(false, nil, args)
	}
	switch p := t.parsed; {
	case p.Mixed:
		return nil, errors.New("the text has both named and positional parameters")
	case len(p.Names) == 0 && len(args) != p.Positional:
		return nil, fmt.Errorf("the text has %d positional parameters, and there are %d arguments", p.Positional, len(args))
	default:
		return decode.Args(len(p.Names) > 0, p.Names, args)
	}
}

// copied gives arguments with copies of the byte slices among them.
func copied(args []any) []any {
	own := args
	for i, v := range args {
		c := v
		switch v := v.(type) {
		case []byte:
			c = slices.Clone(v)
		case duet.Named:
			c = duet.Named(copiedMap(v))
		case map[string]any:
			c = copiedMap(v)
		default:
			continue
		}
		if &own[0] == &args[0] {
			own = slices.Clone(args)
		}
		own[i] = c
	}
	return own
}

func copiedMap(m map[string]any) map[string]any {
	own := maps.Clone(m)
	for name, v := range m {
		if b, ok := v.([]byte); ok {
			own[name] = slices.Clone(b)
		}
	}
	return own
}

// onlyReads says that a text certainly changes nothing. edgedb-go knows of each
// text whether it does, but says so only where it would send it again (see
// workContext). So this takes the text: a single select that has none of the words
// for changing something and calls no function, since functions of the user's may
// change something. Aliases and computed properties must not. Words in strings
// count, and a comment leaves it open.
func onlyReads(cmd string, parsed *edgeqltext.Text) bool {
	if parsed == nil || len(parsed.Statements) != 1 || parsed.Statements[0].Words[0] != "select" || strings.Contains(cmd, "#") || changes.MatchString(cmd) {
		return false
	}
	return !calls(cmd)
}

// calls says that a text may call a function: before one of its brackets stands
// something else than an operator, or a word that cannot be a name there. After ::
// and . all words are names (documentation, "Lexical structure", "Names and keywords").
func calls(cmd string) bool {
	for at := strings.LastIndexByte(cmd, '('); at >= 0; at = strings.LastIndexByte(cmd, '(') {
		cmd = cmd[:at]
		before := strings.TrimRight(cmd, space)
		if endsWith(before, operators) {
			continue
		}
		rest := strings.TrimRight(before, letters)
		if !reserved[strings.ToLower(before[len(rest):])] || rest != "" && !endsWith(rest, space+operators+")") {
			return true
		}
		if endsWith(strings.TrimRight(rest, space), ":.") {
			return true
		}
	}
	return false
}

// endsWith says that the last character of a text is one of those.
func endsWith(text, chars string) bool {
	r, size := utf8.DecodeLastRuneInString(text)
	return size > 0 && strings.ContainsRune(chars, r)
}

const (
	space     = " \t\r\n\ufeff" // all that EdgeQL knows
	operators = "({[,=+-*/%<>?|&"
	letters   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

var (
	changes = regexp.MustCompile(`(?i)insert|update|delete`)
	// reserved are words that can stand before a bracket, and are no names unless
	// they are qualified.
	reserved = map[string]bool{
		"select": true, "filter": true, "and": true, "or": true, "not": true, "in": true, "is": true, "if": true, "else": true, "distinct": true,
		"exists": true, "like": true, "ilike": true, "limit": true, "offset": true, "union": true, "detached": true,
	}
)
