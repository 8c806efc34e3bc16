package decode

import (
	"context"
	"reflect"
	"strings"

	"github.com/edgedb/edgedb-go"
)

// prober finds out what a command's rows did not tell: whether each field of a Go
// struct has a column, where there was no object, and the types of values that were
// always missing. It asks edgedb-go with types that it must refuse.
type prober struct {
	ctx  context.Context
	ex   edgedb.Executor
	req  Request
	root *node
}

// probe is what came of one question.
type probe uint8

const (
	probeStopped probe = iota // nothing more can be learned
	probeRefused              // edgedb-go has named what it wants
	probePassed               // the type fits after all
)

// confirm gives the shape n with all that can be found out of it. A type that
// edgedb-go takes would run the command again, so that questions come with one
// argument too many, which edgedb-go refuses before it sends anything. It does not
// count the arguments of a command that has no parameters: one that may write, or
// act in another way (Request.MayAct), is not asked about, and any other is run a second time, if the struct has a field
// without a column or if the last unknown type is json.
func confirm(ctx context.Context, ex edgedb.Executor, req *Request, n *node) *node {
	if len(req.Args) == 0 && (req.MayAct || writes.MatchString(req.Cmd)) {
		return n
	}
	p := &prober{ctx: ctx, ex: ex, req: *req, root: n.clone()}
	if len(req.Args) > 0 {
		p.req.Args = append(append([]any{}, req.Args...), nil)
	}
	if p.names() {
		p.types()
	}
	return p.root
}

// names asks for the fields that are not known to exist, leaving them out until
// edgedb-go misses them. Those that it never misses do not exist.
func (p *prober) names() bool {
	unordered := map[*node]bool{}
	p.root.walk(func(n *node) {
		if n.kind == kindObject && !n.ordered && len(n.names()) == 0 {
			unordered[n] = true
		}
	})
	for range mostAttempts {
		if p.root.certain() {
			break
		}
		m, what := p.ask(p.root.proven())
		if what == probePassed {
			p.root.walk(func(n *node) { n.fields = n.proven().fields })
			break
		}
		if what != probeRefused || m.what != wantsField || !p.found(m) {
			return false
		}
	}
	for n := range unordered {
		n.ordered = true // they were named in the server's order
	}
	return true
}

// found notes that a field exists, behind those that are known to.
func (p *prober) found(m mismatch) bool {
	n := nodeAt(p.root, m.path)
	if n == nil {
		return false
	}
	last := 0
	for i := range n.fields {
		switch f := n.fields[i]; {
		case f.name == m.name && !f.seen:
			copy(n.fields[last+1:i+1], n.fields[last:i])
			f.seen = true
			n.fields[last] = f
			return true
		case f.seen:
			last = i + 1
		}
	}
	return false
}

// types asks for the types of values by giving edgedb-go what is none. It names
// every type but decimal, of which it says that there is none, and json, which it
// decodes into anything that can be missing where the value can.
func (p *prober) types() {
	var unknown []*node
	p.root.walk(func(n *node) {
		if n.kind == kindScalar && n.scalar == scalarUnknown {
			n.misfit = true
			unknown = append(unknown, n)
		}
	})
	defer func() {
		for _, n := range unknown {
			n.misfit = false
		}
	}()
	for left := unknown; len(left) > 0; left = misfits(left) {
		m, what := p.ask(p.root)
		switch {
		case what == probePassed:
			settle(left, scalarJSON)
			return
		case what == probeRefused && m.decimal:
			p.oneByOne(left)
			return
		case what != probeRefused:
			return
		}
		n := m.at(p.root, shadowOf(p.root))
		if s := m.named(); s != scalarUnknown && n != nil && n.misfit {
			settle([]*node{n}, s)
			continue
		}
		return
	}
}

// oneByOne asks for types where one of them is decimal: edgedb-go does not say
// which.
func (p *prober) oneByOne(left []*node) {
	for _, n := range left {
		n.misfit = false
	}
	for _, n := range left {
		n.misfit = true
		m, what := p.ask(p.root)
		n.misfit = false
		switch {
		case what == probePassed:
			n.scalar = scalarJSON
		case what == probeRefused && m.decimal:
			n.scalar = scalarDecimal
		case what == probeRefused && m.named() != scalarUnknown:
			n.scalar = m.named()
		default:
			return
		}
	}
}

// named is the type of which a misfit was refused. Only json gets as far as being
// asked whether it may be missing.
func (m mismatch) named() scalar {
	switch m.what {
	case wantsScalar:
		return m.scalar
	case wantsOptional:
		return scalarJSON
	default:
		return scalarUnknown
	}
}

// settle notes the type of values.
func settle(nodes []*node, s scalar) {
	for _, n := range nodes {
		n.scalar, n.misfit = s, false
	}
}

// misfits are the nodes whose type is still to be asked for.
func misfits(nodes []*node) []*node {
	var left []*node
	for _, n := range nodes {
		if n.misfit {
			left = append(left, n)
		}
	}
	return left
}

// ask tries the type of a shape.
func (p *prober) ask(n *node) (mismatch, probe) {
	typ := shadowOf(n)
	_, err := run(p.ctx, p.ex, &p.req, reflect.SliceOf(typ))
	if err == nil {
		return mismatch{}, probePassed
	}
	if m, ok := mismatchOf(err, typ.String(), n); ok {
		m.decimal = strings.Contains(err.Error(), noDecimals)
		return m, probeRefused
	}
	if _, ok := ArgumentError(err); ok && len(p.req.Args) > 0 {
		return mismatch{}, probePassed
	}
	return mismatch{}, probeStopped
}

// noDecimals is in what edgedb-go says of a decimal.
const noDecimals = "decimal codec not implemented"

// walk visits every node of the tree.
func (n *node) walk(visit func(*node)) {
	visit(n)
	if n.kind == kindList {
		n.elem.walk(visit)
	}
	for _, f := range n.fields {
		f.node.walk(visit)
	}
}

// proven is the tree without the fields that are not known to exist.
func (n *node) proven() *node {
	c := *n
	if n.kind == kindList {
		c.elem = n.elem.proven()
	}
	c.fields = nil
	for _, f := range n.fields {
		if f.seen {
			f.node = f.node.proven()
			c.fields = append(c.fields, f)
		}
	}
	return &c
}
