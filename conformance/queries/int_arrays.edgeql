# name: int_arrays
# result: many array<int64>
select {[1, 2, 3], <array<int64>>[]}
