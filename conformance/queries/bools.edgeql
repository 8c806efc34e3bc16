# name: bools
# result: many bool
select {true, false}
