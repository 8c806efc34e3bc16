package conformance

import (
	"context"
	"time"
)

func timeScenarios() []Scenario {
	return []Scenario{
		{ID: "times/datetime", Promise: "A moment goes both ways to the microsecond, whatever its zone.", Run: datetimes},
		{ID: "times/local-date", Promise: "A date goes both ways as a time.Time.", Run: localDates},
		{ID: "times/local-datetime", Promise: "A local datetime goes both ways as a time.Time.", Run: localDatetimes},
		{ID: "times/local-time", Promise: "A time of day goes both ways as a time.Duration since midnight.", Run: localTimes},
		{ID: "times/duration", Promise: "A duration goes both ways as a time.Duration, to the microsecond.", Run: durations},
	}
}

func datetimes(ctx context.Context, t *T) {
	moment := time.Date(2026, 11, 21, 10, 20, 30, 456789000, time.UTC)
	if got := one[time.Time](ctx, t, t.Client(), "datetime"); !got.Equal(moment) {
		t.Errorf("datetime is %v, want %v", got, moment)
	}
	zone := time.FixedZone("", -5*3600-1800)
	for _, v := range []time.Time{
		moment, moment.In(zone), time.Unix(0, 0), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC),
	} {
		if got := one[time.Time](ctx, t, t.Client(), "echo_datetime", v); !got.Equal(v) {
			t.Errorf("%v came back as %v", v, got)
		}
	}
}

// wantClock compares date and clock, not the zone: a local value has none.
func wantClock(t *T, got, want time.Time) {
	const layout = "2006-01-02 15:04:05.999999"
	if got.Format(layout) != want.Format(layout) {
		t.Errorf("%s came back as %s", want.Format(layout), got.Format(layout))
	}
}

func localDates(ctx context.Context, t *T) {
	for _, day := range []string{"2026-11-21", "0001-01-01", "1900-02-28", "2024-02-29", "9999-12-31"} {
		v, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatalf("%v", err)
		}
		wantClock(t, one[time.Time](ctx, t, t.Client(), "echo_local_date", v), v)
	}
}

func localDatetimes(ctx context.Context, t *T) {
	for _, v := range []time.Time{
		time.Date(2026, 11, 21, 10, 20, 30, 456789000, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		wantClock(t, one[time.Time](ctx, t, t.Client(), "echo_local_datetime", v), v)
	}
}

func localTimes(ctx context.Context, t *T) {
	for _, v := range []time.Duration{0, 10*time.Hour + 20*time.Minute + 30*time.Second + 456789*time.Microsecond, 24*time.Hour - time.Microsecond} {
		want(t, "echo_local_time", one[time.Duration](ctx, t, t.Client(), "echo_local_time", v), v)
	}
}

func durations(ctx context.Context, t *T) {
	for _, v := range []time.Duration{0, 1500 * time.Millisecond, -time.Microsecond, 45 * time.Second, 1000 * time.Hour, -3 * time.Minute} {
		want(t, "echo_duration", one[time.Duration](ctx, t, t.Client(), "echo_duration", v), v)
	}
}
