# name: missing_value
# result: one {n: int64, s: optional str}
select {n := 1, s := <str>{}}
