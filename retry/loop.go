package retry

import "context"

// Loop holds what calls of one client have in common, for [Loop.Run]. The zero
// value retries nothing, since without Classify every error is permanent. It is
// a plain value; copies share the Budget.
type Loop struct {
	// Policy bounds attempts and waits.
	Policy Policy
	// Budget bounds retries of class Unavailable; nil sets no bound.
	Budget *Budget
	// Classify tells an error's class. It is not called with nil.
	Classify func(error) Class
	// Notify, if not nil, is called before each wait. Unlike the function given
	// to [Run] it is not told of the failure that ends the retries.
	Notify func(Event)
}

// Run is [Run] with the loop's settings.
func (l Loop) Run(ctx context.Context, attempt func(ctx context.Context, n int) error) error {
	notify := l.Notify
	if notify == nil {
		return Run(ctx, l.Policy, l.Budget, l.Classify, nil, attempt)
	}
	return Run(ctx, l.Policy, l.Budget, l.Classify, func(e Event) {
		if e.GaveUp == None {
			notify(e)
		}
	}, attempt)
}
