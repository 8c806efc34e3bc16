package edgedb

import (
	"encoding/binary"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet"
)

func TestDurations(t *testing.T) {
	tests := map[string]time.Duration{
		"PT12.345S": 12345 * time.Millisecond, "PT1H2M3S": time.Hour + 2*time.Minute + 3*time.Second, "PT0S": 0, "-PT1M": -time.Minute,
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "250ms": 250 * time.Millisecond, "pt1.5m": 90 * time.Second, "0s": 0,
	}
	for text, want := range tests {
		data, err := settingValue(text).MarshalEdgeDBDuration()
		if err != nil || len(data) != 16 || int64(binary.BigEndian.Uint64(data)) != want.Microseconds() {
			t.Errorf("%s: % x, %v", text, data, err)
		}
	}
	for _, text := range []string{"", "PT", "P1D", "PT1S1M", "PT1M1M", "PTS", "PT1", "soon", "PT1e3S", "PTINFS", "PT0x1S", "PT99999999999999999999H", "12", "PT1_0S", "--PT1S"} {
		if data, err := settingValue(text).MarshalEdgeDBDuration(); err == nil {
			t.Errorf("%q is taken for % x", text, data)
		} else if len(text) > 3 && strings.Contains(err.Error(), text) {
			t.Errorf("the error holds the value: %v", err)
		}
	}
}

func FuzzDuration(f *testing.F) {
	f.Add("PT1H2M3.5S")
	f.Add("-PT1M")
	f.Add("90s")
	f.Fuzz(func(t *testing.T, text string) { _, _ = parseDuration(text) })
}

func TestSettingValues(t *testing.T) {
	number := func(data []byte, err error) (n int64, ok bool) {
		for _, b := range data {
			n = n<<8 | int64(b)
		}
		return n, err == nil
	}
	for text, want := range map[string]int64{"256MiB": 256 << 20, "1": 1, "5B": 5, "3KiB": 3 << 10, "2PiB": 2 << 50} {
		if n, ok := number(settingValue(text).MarshalEdgeDBMemory()); !ok || n != want {
			t.Errorf("%s: %d", text, n)
		}
	}
	for _, text := range []string{"", "MiB", "-1B", "1.5MiB", "1MB", "9999999999PiB"} {
		if _, ok := number(settingValue(text).MarshalEdgeDBMemory()); ok {
			t.Errorf("%q is taken for a size", text)
		}
	}
	for text, want := range map[string]int64{"true": 1, "on": 1, "False": 0, "0": 0} {
		if n, ok := number(settingValue(text).MarshalEdgeDBBool()); !ok || n != want {
			t.Errorf("%s: %d", text, n)
		}
	}
	if _, ok := number(settingValue("maybe").MarshalEdgeDBBool()); ok {
		t.Error("maybe is taken for a bool")
	}
	if n, ok := number(settingValue("-1").MarshalEdgeDBInt16()); !ok || n != 0xffff {
		t.Errorf("-1: %d", n)
	}
	if _, ok := number(settingValue("70000").MarshalEdgeDBInt16()); ok {
		t.Error("70000 is taken for an int16")
	}
	if n, ok := number(settingValue("7").MarshalEdgeDBInt64()); !ok || n != 7 {
		t.Errorf("7: %d", n)
	}
	set, err := settingOf(`["a", "b"]`)
	if list, ok := set.([]any); !ok || len(list) != 2 || list[0] != settingValue("a") || err != nil {
		t.Errorf("got %v, %v", set, err)
	}
	if one, err := settingOf(`[not json`); one != settingValue("[not json") || err != nil {
		t.Errorf("got %v, %v", one, err)
	}
	if _, err := settingOf("a\x00b"); err == nil {
		t.Error("a NUL is taken")
	}
}

func TestViews(t *testing.T) {
	base := newView(duet.Options{Settings: map[string]string{"a": "b"}})
	if v := base.with(duet.Options{Name: "x"}); v.state != base.state || v.opt.Name != "x" {
		t.Errorf("a view that changes nothing of the state: %+v", v)
	}
	if v := base.with(duet.Options{Access: duet.ReadOnly, Deferrable: duet.On}); v.kind != (kind{true, true}) || v.state != base.state {
		t.Errorf("got %+v", v)
	}
	v := base.with(duet.Options{ModuleAliases: map[string]string{"s": "std", "a": "b"}})
	if v.state == base.state || v.state.scope != `"a"="b";"s"="std";` || len(v.state.config) != 1 {
		t.Errorf("got %+v", v.state)
	}
	if v := base.with(duet.Options{Isolation: duet.RepeatableRead}); v.bad == nil || v.with(duet.Options{Isolation: duet.Serializable}).bad != nil {
		t.Error("isolation is not judged by what holds")
	}
	if newView(duet.Options{}).state != nil {
		t.Error("no state is a state")
	}
	if !changesState(&base.opt, &v.opt) || changesState(&base.opt, &base.opt) {
		t.Error("changes of state are not seen")
	}
}

func TestArgumentsAreCopied(t *testing.T) {
	mine := []byte("mine")
	args := []any{mine, map[string]any{"b": mine}, duet.Named{"b": mine}, 1}
	own := copied(args)
	copy(mine, "your")
	named, _ := own[2].(duet.Named)
	if string(own[0].([]byte)) != "mine" || string(own[1].(map[string]any)["b"].([]byte)) != "mine" || string(named["b"].([]byte)) != "mine" || own[3] != 1 {
		t.Errorf("got %q", own)
	}
	if string(args[0].([]byte)) != "your" {
		t.Error("the caller's arguments were changed")
	}
}

func TestOnlyReads(t *testing.T) {
	all := &texts{}
	for cmd, want := range map[string]bool{
		"select 1 + 1": true, "select Account { name } filter .name = <str>$0": true, "SELECT (select Account).name": true,
		"select Account filter (.a and (.b or not (.c))) limit 1": true, "select {1, 2}; ": true,
		"select f()": false, "select f ()": false, "select `f`()": false, "select a::f\n(1)": false, "select f # x\n (1)": false,
		"select (insert Account)": false, "select (UPDATE Account set {})": false, "select 'delete'": false, "select 1; select 2": false,
		"select default::limit(1)": false, "select default :: filter (1)": false, "select m::union\ufeff(1)": false, "select f\ufeff(1)": false,
		"select का(1)": false, "select f\u20dd(1)": false, "select éselect(1)": false, "select x.limit(1)": false, "select `a b`(1)": false, "select Ⓐ(1)": false,
		"select <int64>(1) + (2) union (3)": true, "select Account { a := (.x ?? (.y)) } filter not(.a) limit(1)": true, "select _limit(1)": false, "select 2limit(1)": false,
		"with x := 1 select x": false, "insert Account": false, "for x in {1} union (x)": false, "": false, "select 'f": false, "select \"f(\"": false,
	} {
		if got := all.get(cmd).reads; got != want {
			t.Errorf("%q: %v", cmd, got)
		}
	}
}

func TestEndsTransaction(t *testing.T) {
	all := &texts{}
	for cmd, want := range map[string]bool{
		"commit": true, "COMMIT;": true, "rollback": true, "select 1; commit": true, "rollback; start transaction": true,
		"rollback to savepoint s": false, "commit migration": false, "start migration to {}; populate migration; COMMIT MIGRATION": false,
		"abort migration": false, "commit migration rewrite": false, "select 'commit'": false, "`commit`": false,
	} {
		if got := all.get(cmd).ends; got != want {
			t.Errorf("%q: %v", cmd, got)
		}
	}
}

func FuzzOnlyReads(f *testing.F) {
	for _, seed := range []string{"select f(1)", "select m::limit (1) union\ufeff(2)", "select .filter(1) + `a`(2)", "select '(' ++ (select 1)"} {
		f.Add(seed)
	}
	call := regexp.MustCompile("(?:(::|\\.)[ \t\r\n\ufeff]*)?([\\pL\\pN\\pM_`]+)[ \t\r\n\ufeff]*\\(")
	f.Fuzz(func(t *testing.T, cmd string) {
		x := (&texts{}).get(cmd)
		if x.reads && strings.Contains(strings.ToLower(cmd), "insert") {
			t.Errorf("%q inserts", cmd)
		}
		for _, m := range call.FindAllStringSubmatch(cmd, -1) {
			if x.reads && (m[1] != "" || !reserved[strings.ToLower(m[2])]) {
				t.Errorf("%q calls %q", cmd, m)
			}
		}
	})
}
