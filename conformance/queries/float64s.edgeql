# name: float64s
# result: many float64
select {<float64>1.5, <float64>'inf', <float64>'nan'}
