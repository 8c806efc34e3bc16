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
	// Needs are the abilities that Run needs.
	Needs []duet.Ability
	// Without is what is run where one of them is missing: it checks that this
	// is said, with ErrUnsupported. nil: the scenario is skipped there.
	Without func(ctx context.Context, t *T)
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
		cardinalityScenarios(), errorScenarios(), outcomeScenarios(), usageErrorScenarios(), scriptScenarios(), transactionScenarios(), openTxScenarios(),
		isolationScenarios(), retryScenarios(), attemptScenarios(), swallowedScenarios(), handleScenarios(), panicScenarios(), closureScenarios(), onceScenarios(), randomScenarios(), nestedScenarios(), cancellationScenarios(), poolScenarios(), sessionScenarios(),
		concurrencyScenarios(), largeScenarios(), streamingScenarios(), optionScenarios(), hookScenarios(), faultScenarios(),
	)
}

// choose gives what is to be run on a backend, or the reason why nothing is.
func (s Scenario) choose(b duet.Backend, target Target) (run func(context.Context, *T), skip string) {
	if s.Kills && target.Kill == nil {
		return nil, "the target cannot end its own connections"
	}
	for _, a := range s.Needs {
		switch {
		case b.Can(a):
		case s.Without != nil:
			return s.Without, ""
		default:
			return nil, "the backend cannot do: " + a.String()
		}
	}
	return s.Run, ""
}
