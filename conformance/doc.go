// Package conformance is the suite that every backend passes: the same
// scenarios, over any [duet.Client], on PostgreSQL and on EdgeDB.
//
// A [Scenario] checks one sentence of the contract. Its commands are pairs of
// texts in the package queries, its expected results are written once. A
// scenario that needs an ability which Backend().Can denies checks for
// [duet.ErrUnsupported] there, or is skipped and says so.
//
// A backend's test is one call of [Run]:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, conformance.Target{
//			Name: "postgres",
//			Connect: func(ctx context.Context, opt conformance.ConnectOptions) (duet.Client, error) {
//				return postgres.Connect(ctx, dsn, postgres.Config{
//					MaxConns: int32(opt.MaxConns), AcquireTimeout: opt.AcquireTimeout, Hooks: opt.Hooks,
//				})
//			},
//			Skips: map[string]string{}, // what is not run, by ID, each with its reason
//		})
//	}
//
// A program calls [RunAll] and gets a [Report]. Both own the tables of the
// database (PostgreSQL: the schema duet_conformance; EdgeDB: Account, Transfer,
// Claim, Color, tenant, as schema.edgeql has them) while they run: they drop them
// at the start, whatever a run that was broken off has left, and at the end. The
// place of commit tokens (duet.commit_token, CommitToken) they make and drop only
// where it is not there. One suite at a time may run in a database.
//
// Target.Kill ends connections from outside. PostgreSQL can do that itself;
// [Relays] does it for a server that cannot.
package conformance
