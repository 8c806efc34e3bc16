package conformance

import (
	"context"
	"slices"
	"strings"

	"github.com/duetdb/duet"
)

// Scenario checks one promise of the contract.
type Scenario struct {
	// ID names the scenario: subject, slash, what is checked ("values/int64").
	ID string
	// Promise is the sentence of the contract that it checks.
	Promise string
	// Needs are abilities without which it is skipped.
	Needs []duet.Ability
	// Lacks are abilities with any of which it is skipped: it checks what
	// happens without them.
	Lacks []duet.Ability
	// Kills says that it needs [Target].Kill.
	Kills bool
	// Run does the work. ctx ends when the scenario has taken too long.
	Run func(ctx context.Context, t *T)
}

// Subject is the first part of the ID.
func (s Scenario) Subject() string {
	subject, _, _ := strings.Cut(s.ID, "/")
	return subject
}

// Scenarios gives all scenarios, in the order in which they run.
func Scenarios() []Scenario {
	return slices.Concat(
		lifecycleScenarios(), valueScenarios(), timeScenarios(), structScenarios(), recordScenarios(), jsonScenarios(), argumentScenarios(),
		cardinalityScenarios(), errorScenarios(), usageErrorScenarios(), scriptScenarios(), transactionScenarios(), openTxScenarios(),
		isolationScenarios(), retryScenarios(), nestedScenarios(), cancellationScenarios(), poolScenarios(), sessionScenarios(),
		concurrencyScenarios(), largeScenarios(), streamingScenarios(), optionScenarios(), hookScenarios(), faultScenarios(),
	)
}

// skipReason says why the scenario cannot run on a backend, "" if it can.
func (s Scenario) skipReason(b duet.Backend, target Target) string {
	for _, a := range s.Needs {
		if !b.Can(a) {
			return "the backend cannot do: " + a.String()
		}
	}
	for _, a := range s.Lacks {
		if b.Can(a) {
			return "the backend can do: " + a.String()
		}
	}
	if s.Kills && target.Kill == nil {
		return "the target cannot end its own connections"
	}
	return ""
}
