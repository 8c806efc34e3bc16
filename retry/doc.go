// Package retry runs an attempt again when its error says that another attempt
// may succeed. It knows no database: the caller's function sorts errors into
// classes, a [Policy] has one [Rule] for each class that is worth another
// attempt, and a [Budget], shared by all calls of one client, keeps an outage
// from being made worse by the retries of those it hits.
//
// Waits grow exponentially with full jitter: each is drawn evenly from zero up to
// the current bound, so that callers that failed together do not come back
// together. Every wait ends with its context.
package retry
