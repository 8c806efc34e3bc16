package faultproxy

import "bytes"

// keptNames bounds how many statements, and how many portals, are remembered on a
// connection. Beyond it the memory starts afresh.
const keptNames = 10_000

// hasText says that a message's text, or the name in it, must be known before it
// passes.
func hasText(from Side, typ byte) bool {
	if from == Server {
		return typ == 'C' || typ == 'E' || typ == 'N' || typ == 'Z'
	}
	switch typ {
	case 'P', 'Q', 'B', 'D', 'E', 'C':
		return true
	}
	return false
}

// text is what rules compare a message with.
type text struct {
	text  []byte
	name  []byte // of a statement or portal; what is in the message itself
	named bool   // the name counts as text too
}

// matches says whether either begins with prefix, in whatever case, leading space
// aside.
func (t *text) matches(prefix string) bool {
	return prefix == "" || begins(t.text, prefix) || t.named && begins(t.name, prefix)
}

func begins(text []byte, prefix string) bool {
	text = bytes.TrimLeft(text, " \t\r\n\f\v")
	if len(text) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(text[i]) != lower(prefix[i]) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// textOf takes the text out of what is known of a message.
func (p *pipe) textOf(f *frame) text {
	body := f.body()
	if p.from == Server {
		switch f.typ {
		case 'C':
			tag, _ := cstring(body)
			return text{text: tag}
		case 'E', 'N':
			return text{text: sqlstate(body)}
		case 'Z':
			return text{text: body}
		}
		return text{}
	}
	switch f.typ {
	case 'Q':
		command, _ := cstring(body)
		return text{text: command}
	case 'P':
		name, rest := cstring(body)
		command, _ := cstring(rest)
		return text{text: command, name: name}
	case 'B':
		portal, rest := cstring(body)
		statement, _ := cstring(rest)
		return text{text: p.known.command('S', statement), name: portalOr(statement, portal), named: true}
	case 'E':
		portal, _ := cstring(body)
		return text{text: p.known.command('P', portal), name: portal, named: true}
	case 'D', 'C':
		if len(body) > 0 {
			name, _ := cstring(body[1:])
			return text{text: p.known.command(body[0], name), name: name, named: true}
		}
	}
	return text{}
}

// portalOr is the name that a Bind goes by: the statement's, or, where that is the
// unnamed one, the portal's.
func portalOr(statement, portal []byte) []byte {
	if len(statement) > 0 {
		return statement
	}
	return portal
}

// cstring takes a string off the beginning of b: at most KeptText bytes of it, and
// what follows it. One that has no end here, has nothing that follows.
func cstring(b []byte) (s, rest []byte) {
	s = b
	if end := bytes.IndexByte(b, 0); end >= 0 {
		s, rest = b[:end], b[end+1:]
	}
	return s[:min(len(s), KeptText)], rest
}

// sqlstate takes the SQLSTATE out of the fields of an error or a notice
// (PostgreSQL documentation, "Error and Notice Message Fields").
func sqlstate(body []byte) []byte {
	for len(body) > 0 && body[0] != 0 {
		value, rest := cstring(body[1:])
		if body[0] == 'C' {
			return value
		}
		body = rest
	}
	return nil
}

// known is what the client's statements and portals were parsed from. The unnamed
// ones have memory of their own, which is written anew each time.
type known struct {
	statements, portals map[string][]byte
	statement, portal   []byte
}

// note remembers a Parse, a Bind or a Close.
func (k *known) note(typ byte, body []byte) {
	switch typ {
	case 'P':
		name, rest := cstring(body)
		command, _ := cstring(rest)
		keep(&k.statements, &k.statement, name, command)
	case 'B':
		portal, rest := cstring(body)
		statement, _ := cstring(rest)
		keep(&k.portals, &k.portal, portal, k.command('S', statement))
	case 'C':
		if len(body) == 0 {
			return
		}
		name, _ := cstring(body[1:])
		switch {
		case body[0] == 'S' && len(name) == 0:
			k.statement = k.statement[:0]
		case body[0] == 'S':
			delete(k.statements, string(name))
		case len(name) == 0:
			k.portal = k.portal[:0]
		default:
			delete(k.portals, string(name))
		}
	}
}

// keep remembers a command by a name.
func keep(names *map[string][]byte, unnamed *[]byte, name, command []byte) {
	if len(name) == 0 {
		*unnamed = append((*unnamed)[:0], command...)
		return
	}
	switch {
	case *names == nil:
		*names = map[string][]byte{}
	case len(*names) >= keptNames:
		clear(*names)
	}
	(*names)[string(name)] = bytes.Clone(command)
}

// command is what a statement ('S') or portal ('P') was parsed from; nil: that is
// not known.
func (k *known) command(kind byte, name []byte) []byte {
	switch {
	case kind == 'S' && len(name) == 0:
		return k.statement
	case kind == 'S':
		return k.statements[string(name)]
	case len(name) == 0:
		return k.portal
	}
	return k.portals[string(name)]
}
